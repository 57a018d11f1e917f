//! Checks that one call to Tulip answers: connection, TLS, API and clock.

use tulip_core::{InstanceUrl, format_duration};
use tulip_http::{Client, Error, ErrorKind};

use super::check::Check;
use super::findings::Findings;
use crate::failure::Failure;

/// The clock skew, in seconds, from which stores refuse signed requests: Amazon allows 15 minutes,
/// others 5.
const SKEW_FAILS: u64 = 5 * 60;
const SKEW_WARNS: u64 = 60;

/// Compares this machine's clock with the server's. `skew` is how many seconds ours is ahead.
pub(super) fn check_clock(skew: i64, findings: &mut Findings) {
    let seconds = skew.unsigned_abs();
    let way = if skew < 0 { "behind" } else { "ahead of" };
    let found = match seconds {
        0..=2 => "agrees with the server's".to_owned(),
        _ => {
            let time = format_duration(std::time::Duration::from_secs(seconds));
            format!("{time} {way} the server's")
        }
    };
    match seconds {
        SKEW_FAILS.. => findings.fail_with(
            Check::Clock,
            format!("{found}: stores refuse requests signed at another time"),
            Check::Clock.advice(),
        ),
        SKEW_WARNS.. => findings.warn(Check::Clock, found, Check::Clock.advice()),
        _ => findings.ok(Check::Clock, found),
    }
}

/// Records that Tulip has answered as expected.
pub(super) fn passed(instance: &InstanceUrl, findings: &mut Findings) {
    answered(instance, findings);
    findings.ok(Check::Api, "is a Tulip API");
}

/// Records that a server has answered.
fn answered(instance: &InstanceUrl, findings: &mut Findings) {
    findings.ok(Check::Connection, "made");
    match instance.is_https() {
        true => findings.ok(Check::Tls, "the certificate is trusted"),
        false => findings.ok(Check::Tls, "not used on http"),
    }
}

/// Records the check that an error fails. Returns the error if Tulip itself answered `Forbidden` or
/// `NotFound`: what that means depends on the token.
pub(super) fn failed(error: Error, client: &Client, findings: &mut Findings) -> Option<Error> {
    match error.kind() {
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::ConnectionLost => {
            no_connection(error, client, findings);
            return None;
        }
        ErrorKind::Tls => {
            findings.ok(Check::Connection, "made");
            findings.fail(Check::Tls, &Failure::from(error));
            return None;
        }
        _ => answered(client.instance(), findings),
    }
    match error.kind() {
        ErrorKind::Forbidden | ErrorKind::NotFound => {
            findings.ok(Check::Api, "is a Tulip API");
            Some(error)
        }
        ErrorKind::Unauthorized => {
            findings.ok(Check::Api, "is a Tulip API");
            findings.fail(Check::Credentials, &Failure::from(error));
            None
        }
        ErrorKind::InvalidReply if error.status() == Some(403) => {
            let found = Failure::from(error).to_string();
            let advice = "somebody before Tulip refuses this machine: have its public IPv4 address \
                          added to the allowlist of the instance";
            findings.fail_with(Check::Api, found, advice);
            None
        }
        _ => {
            findings.fail(Check::Api, &Failure::from(error));
            None
        }
    }
}

fn no_connection(error: Error, client: &Client, findings: &mut Findings) {
    let found = Failure::from(error).to_string();
    match client.proxy() {
        Some(proxy) => {
            let advice = "the proxy itself takes connections: check that it lets this machine and \
                          this host through, and its user and password in the variable";
            let found = format!("{found}; through the proxy {proxy}");
            findings.fail_with(Check::Connection, found, advice);
        }
        None => findings.fail_with(Check::Connection, found, Check::Connection.advice()),
    }
}
