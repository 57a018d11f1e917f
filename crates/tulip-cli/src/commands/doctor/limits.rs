//! The limits that the system sets for the process.

use super::check::Check;
use super::findings::Findings;
use crate::args::DoctorArgs;
use crate::descriptors;

/// Open files for calls to Tulip, the runtime, libraries and logs.
const OTHERS: u64 = 64;
/// Open files of an export besides its connections: its object and its state.
const OF_ONE_EXPORT: u64 = 2;

/// Compares the limit on open files and connections with what an export uses.
pub(super) fn check(args: &DoctorArgs, findings: &mut Findings) {
    let Some(limit) = descriptors::limit() else {
        return findings.ok(Check::FileLimit, "none");
    };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let exports = count(args.concurrency.get());
    let open = |connections: u64| {
        let each = connections.saturating_add(OF_ONE_EXPORT);
        exports.saturating_mul(each).saturating_add(OTHERS)
    };
    let (least, most) = (open(1), open(count(args.connections.get())));
    let raise = "raise it (ulimit -n, or LimitNOFILE= of a systemd unit)";
    match limit {
        _ if limit < least => findings.fail_with(
            Check::FileLimit,
            format!("{limit} open files; {least} are needed"),
            &format!("{raise}, or lower --concurrency"),
        ),
        _ if limit < most => findings.warn(
            Check::FileLimit,
            format!("{limit} open files; up to {most} are used"),
            &format!("{raise}, or lower --concurrency or --connections"),
        ),
        _ => findings.ok(
            Check::FileLimit,
            format!("{limit} open files; up to {most} are used"),
        ),
    }
}
