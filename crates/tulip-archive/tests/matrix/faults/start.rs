//! Faults of the call that starts a job. A call that may have taken effect is not repeated.

use std::time::Duration;

use tulip_archive::ExportErrorKind::{self, Api, NotFound, PermissionDenied, StartUnknown};
use tulip_emulator::{Fault, Reply};

use super::{BUSY, megabytes, times};
use crate::column::SINKS;
use crate::plan::{Draw, FOR_EVER, Plan, Row, STALL, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("429, then fine", &SINKS, |draw| {
            let busy = times(Reply::busy(429), draw.times());
            Plan::exports(draw, draw.script()).start_faults(busy)
        }),
        row("429 with Retry-After in seconds", &SINKS, |draw| {
            let busy = Reply::busy(429).retry_after(BUSY);
            let plan = Plan::exports(draw, draw.script()).start_faults([busy]);
            plan.lasts(BUSY)
        }),
        row("429 with Retry-After as a date", &SINKS, |draw| {
            let busy = Reply::busy(429).retry_after_date(Duration::ZERO);
            Plan::exports(draw, draw.script()).start_faults([busy])
        }),
        row("429 for ever", &SINKS, |draw| {
            refused(draw, times(Reply::busy(429), FOR_EVER), Api, true)
        }),
        row("429 with Retry-After beyond the deadline", &SINKS, |draw| {
            let busy = Reply::busy(429).retry_after(Duration::from_secs(3600));
            refused(draw, vec![busy.into()], Api, true)
        }),
    ];
    for (status, kind, retryable) in [
        (400, Api, false),
        (401, PermissionDenied, false),
        (403, PermissionDenied, false),
        (404, NotFound, false),
        (408, Api, true),
        (422, Api, false),
        (500, StartUnknown, false),
        (502, StartUnknown, false),
        (503, StartUnknown, false),
    ] {
        rows.push(row(format!("{status}"), &SINKS, move |draw| {
            let reply = Reply::error(status, "Refused", "the test refuses it");
            refused(draw, vec![reply.into()], kind, retryable)
        }));
    }
    rows.extend([
        row("hang-up", &SINKS, |draw| {
            refused(draw, vec![Fault::Hangup], StartUnknown, false)
        }),
        row("lost reply", &SINKS, |draw| {
            refused(draw, vec![Fault::LostReply], StartUnknown, false).starts(1)
        }),
        row("reply cut", &SINKS, |draw| {
            let after = draw.rng.u64(0..60);
            refused(draw, vec![Fault::Cut { after }], StartUnknown, false).starts(1)
        }),
        row("reply reset", &SINKS, |draw| {
            let after = draw.rng.u64(0..60);
            refused(draw, vec![Fault::Reset { after }], StartUnknown, false).starts(1)
        }),
        row("reply stalls", &SINKS, |draw| {
            let after = draw.rng.u64(0..60);
            let plan = refused(draw, vec![Fault::Stall { after }], StartUnknown, false);
            Plan {
                stall: STALL,
                ..plan.starts(1)
            }
        }),
        row("reply drips", &SINKS, |draw| {
            let (after, piece) = (draw.rng.u64(0..60), draw.rng.u64(1..9));
            let pause = Duration::from_millis(1);
            let drip = Fault::Drip {
                after,
                piece,
                pause,
            };
            Plan::exports(draw, draw.script()).start_faults([drip])
        }),
        row("surplus bytes behind the reply", &SINKS, |draw| {
            let surplus = Fault::Surplus("HTTP/1.1 200 OK\r\n\r\n".into());
            Plan::exports(draw, draw.script()).start_faults([surplus])
        }),
        row("endless reply", &SINKS, |draw| {
            refused(draw, vec![Fault::Endless], StartUnknown, false).starts(1)
        }),
        row("page with 200", &SINKS, |draw| {
            let page = Reply::html(200, "<html><title>Sign in</title></html>");
            refused(draw, vec![page.into()], StartUnknown, false)
        }),
        row("page with 403", &SINKS, |draw| {
            let page = Reply::html(403, "<html><title>Not on the list</title></html>");
            refused(draw, vec![page.into()], Api, false)
        }),
        row("half a JSON", &SINKS, |draw| {
            let half = Reply::new(200).body("{\"id\":\"abc\",\"sta");
            refused(draw, vec![half.into()], StartUnknown, false)
        }),
        row("header of megabytes", &SINKS, |draw| {
            refused(draw, vec![megabytes().into()], StartUnknown, false)
        }),
        row("redirect", &SINKS, |draw| {
            let elsewhere = Reply::redirect(307, "http://127.0.0.1:1/api/v3");
            refused(draw, vec![elsewhere.into()], StartUnknown, false)
        }),
    ]);
    rows
}

/// An export that fails without knowing of a job.
fn refused(draw: &Draw, faults: Vec<Fault>, kind: ExportErrorKind, retryable: bool) -> Plan {
    Plan::fails(draw, draw.script(), kind, retryable)
        .start_faults(faults)
        .starts(0)
        .asked(0..=0)
        .requests(10)
}
