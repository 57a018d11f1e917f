//! What one call shows of the way to Tulip: connection, TLS, who answers, and its clock.

use tulip_core::{InstanceUrl, format_duration};
use tulip_http::{Client, Error, ErrorKind};

use super::check::Check;
use super::findings::Findings;
use crate::failure::Failure;

/// From here on stores refuse signed requests: Amazon allows 15 minutes, others 5.
const SKEW_FAILS: u64 = 5 * 60;
const SKEW_WARNS: u64 = 60;

/// Compares the clock with that of the server. `skew` is how far ours is ahead.
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

/// Tulip has answered as it should.
pub(super) fn passed(instance: &InstanceUrl, findings: &mut Findings) {
    answered(instance, findings);
    findings.ok(Check::Api, "is a Tulip API");
}

/// Somebody has answered.
fn answered(instance: &InstanceUrl, findings: &mut Findings) {
    findings.ok(Check::Connection, "made");
    match instance.is_https() {
        true => findings.ok(Check::Tls, "the certificate is trusted"),
        false => findings.ok(Check::Tls, "not used on http"),
    }
}

/// Finds where the way ends. A refusal by Tulip itself is given back: it is about the token.
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
