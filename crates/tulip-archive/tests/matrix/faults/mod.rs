//! The rows of the matrix.

mod archive;
mod content;
mod continuation;
mod job;
mod odd;
mod pairs;
mod sink;
mod start;
mod status;
mod store;
mod url;

use std::time::Duration;

use tulip_emulator::{Fault, Reply};

use crate::plan::Row;

/// The rows, under their headings.
pub(crate) fn all() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("start", start::rows()),
        ("status", status::rows()),
        ("job", job::rows()),
        ("url", url::rows()),
        ("archive", archive::rows()),
        ("content", content::rows()),
        ("continuation", continuation::rows()),
        ("sink", sink::rows()),
        ("store", store::rows()),
        ("pairs", pairs::rows()),
        ("odd", odd::rows()),
    ]
}

/// How long a busy server asks to wait: the shortest wait that `Retry-After` can express.
const BUSY: Duration = Duration::from_secs(1);

/// A reply with a header that is far too long.
fn megabytes() -> Reply {
    Reply::new(200).header("X-Padding", "x".repeat(2 << 20))
}

/// The same fault, this many times.
fn times(fault: impl Into<Fault>, times: usize) -> Vec<Fault> {
    vec![fault.into(); times]
}

/// One fault, then others.
fn then(first: impl Into<Fault>, later: impl IntoIterator<Item = Fault>) -> Vec<Fault> {
    std::iter::once(first.into()).chain(later).collect()
}
