//! Faults of the calls that ask for a job's status.

use std::time::Duration;

use tulip_archive::ExportErrorKind::{self, Api, NotFound, PermissionDenied};
use tulip_emulator::{Fault, Reply};

use super::{BUSY, megabytes, then, times};
use crate::column::SINKS;
use crate::plan::{Draw, FOR_EVER, Plan, Row, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in [408, 429, 500, 502, 503] {
        rows.push(row(format!("{status}, then fine"), &SINKS, move |draw| {
            let faults = times(Reply::busy(status), draw.times());
            passes(draw, faults)
        }));
        rows.push(row(format!("{status} for ever"), &SINKS, move |draw| {
            ends(draw, times(Reply::busy(status), FOR_EVER), Api, true)
        }));
        let later = format!("{status} when it has answered before");
        rows.push(row(later, &SINKS, move |draw| {
            // More than the retries of one call. The poller continues anyway.
            let faults = then(Fault::None, times(Reply::busy(status), 8));
            let script = draw.script().pending_polls(2).status_faults(faults);
            Plan::exports(draw, script)
        }));
    }
    for (status, kind) in [
        (400, Api),
        (401, PermissionDenied),
        (403, PermissionDenied),
        (404, NotFound),
        (422, Api),
    ] {
        rows.push(row(format!("{status}"), &SINKS, move |draw| {
            // At once, or after some good replies.
            let before = draw.rng.usize(0..3);
            let mut faults = times(Fault::None, before);
            faults.push(Reply::error(status, "Refused", "the test refuses it").into());
            let script = draw.script().pending_polls(9).status_faults(faults);
            Plan::fails(draw, script, kind, false).asked(0..=0)
        }));
    }
    rows.extend([
        row("429 with Retry-After in seconds", &SINKS, |draw| {
            passes(draw, vec![Reply::busy(429).retry_after(BUSY).into()]).lasts(BUSY)
        }),
        row("503 with Retry-After as a date", &SINKS, |draw| {
            let busy = Reply::busy(503).retry_after_date(Duration::ZERO);
            passes(draw, vec![busy.into()])
        }),
        row("hang-up, then fine", &SINKS, |draw| {
            let faults = times(Fault::Hangup, draw.times());
            passes(draw, faults)
        }),
        row("hang-up for ever", &SINKS, |draw| {
            ends(draw, times(Fault::Hangup, FOR_EVER), Api, true)
        }),
        row("lost reply", &SINKS, |draw| {
            let faults = times(Fault::LostReply, draw.times());
            passes(draw, faults)
        }),
        row("reply cut", &SINKS, |draw| {
            let after = draw.rng.u64(0..100);
            let faults = times(Fault::Cut { after }, draw.times());
            passes(draw, faults)
        }),
        row("reply reset", &SINKS, |draw| {
            let after = draw.rng.u64(0..100);
            let faults = times(Fault::Reset { after }, draw.times());
            passes(draw, faults)
        }),
        row("reply stalls", &SINKS, |draw| {
            let after = draw.rng.u64(0..100);
            passes(draw, vec![Fault::Stall { after }]).stalling()
        }),
        row("reply stalls for ever", &SINKS, |draw| {
            let after = draw.rng.u64(0..100);
            ends(draw, times(Fault::Stall { after }, FOR_EVER), Api, true)
                .stalling()
                .retries(1)
        }),
        row("reply drips", &SINKS, |draw| {
            let (after, piece) = (draw.rng.u64(0..100), draw.rng.u64(8..40));
            let pause = Duration::from_millis(1);
            let drip = Fault::Drip {
                after,
                piece,
                pause,
            };
            passes(draw, vec![drip])
        }),
        row("surplus bytes behind the reply", &SINKS, |draw| {
            let surplus = Fault::Surplus("HTTP/1.1 200 OK\r\n\r\n".into());
            let faults = times(surplus, draw.times());
            let script = draw.script().pending_polls(3).status_faults(faults);
            Plan::exports(draw, script)
        }),
        row("endless reply", &SINKS, |draw| {
            ends(draw, vec![Fault::Endless], Api, false)
        }),
        row("page with 200", &SINKS, |draw| {
            let page = Reply::html(200, "<html><title>Sign in</title></html>");
            ends(draw, vec![page.into()], Api, false)
        }),
        row("page with 403", &SINKS, |draw| {
            let page = Reply::html(403, "<html><title>Not on the list</title></html>");
            ends(draw, vec![page.into()], Api, false)
        }),
        row("half a JSON", &SINKS, |draw| {
            let half = Reply::new(200).body("{\"id\":\"abc\",\"sta");
            ends(draw, vec![half.into()], Api, false)
        }),
        row("empty reply", &SINKS, |draw| {
            ends(draw, vec![Reply::new(200).into()], Api, false)
        }),
        row("header of megabytes", &SINKS, |draw| {
            ends(draw, vec![megabytes().into()], Api, false)
        }),
        row("redirect", &SINKS, |draw| {
            let elsewhere = Reply::redirect(302, "http://127.0.0.1:1/api/v3");
            ends(draw, vec![elsewhere.into()], Api, false)
        }),
        row("redirect loop", &SINKS, |draw| {
            ends(draw, vec![Fault::RedirectLoop], Api, false)
        }),
    ]);
    rows
}

fn passes(draw: &Draw, faults: Vec<Fault>) -> Plan {
    Plan::exports(draw, draw.script().status_faults(faults))
}

fn ends(draw: &Draw, faults: Vec<Fault>, kind: ExportErrorKind, retryable: bool) -> Plan {
    let script = draw.script().status_faults(faults);
    Plan::fails(draw, script, kind, retryable)
        .asked(0..=0)
        .requests(10)
}
