//! Faults of the reply that carries the archive.

use std::time::Duration;

use tulip_archive::ExportErrorKind::{self, Download, IncompleteArchive, NotAnArchive, TooLarge};
use tulip_emulator::{Fault, Reply};

use super::{BUSY, megabytes, times};
use crate::column::{ALL, BOTH_WAYS, Host, SINKS};
use crate::plan::{Draw, FOR_EVER, Plan, Row, large, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = refusals();
    rows.extend(breaks());
    rows.extend(lengths());
    rows.extend(strangers());
    rows
}

fn refusals() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in [408, 429, 500, 502, 503] {
        let then_fine = format!("{status}, then fine");
        rows.push(row(then_fine, &BOTH_WAYS, move |draw| {
            let faults = times(busy(status), draw.times());
            let asked = faults.len() + 1;
            let script = draw.script().asset_faults(faults);
            Plan::exports(draw, script).asked(asked..=asked)
        }));
        rows.push(row(format!("{status} for ever"), &SINKS, move |draw| {
            let script = draw.script().asset_always(busy(status));
            Plan::fails(draw, script, Download, true).asked(6..=8)
        }));
    }
    rows.push(row("304", &SINKS, |draw| {
        let script = draw.script().asset_faults([refusal(304)]);
        Plan::fails(draw, script, Download, false).asked(1..=1)
    }));
    // Perhaps only the range is refused, or the archive is not there yet.
    for (status, retryable) in [(404, true), (410, true), (412, true), (422, false)] {
        rows.push(row(format!("{status}, then fine"), &SINKS, move |draw| {
            let script = draw.script().asset_faults([refusal(status)]);
            Plan::exports(draw, script).asked(2..=3)
        }));
        rows.push(row(format!("{status} for ever"), &SINKS, move |draw| {
            let script = draw.script().asset_always(refusal(status));
            Plan::fails(draw, script, Download, retryable).asked(2..=12)
        }));
    }
    // A 206 without a range, or a 416: the whole archive is requested without a range.
    for status in [206, 416] {
        rows.push(row(format!("{status}, then fine"), &SINKS, move |draw| {
            let odd = Reply::xml(status, "Refused", "the test refuses it");
            let script = draw.script().asset_faults([odd]);
            Plan::exports(draw, script).asked(2..=2)
        }));
        rows.push(row(format!("{status} for ever"), &SINKS, move |draw| {
            let odd = Reply::xml(status, "Refused", "the test refuses it");
            let script = draw.script().asset_always(odd);
            Plan::fails(draw, script, Download, false).asked(2..=2)
        }));
    }
    rows.extend([
        row("503 with Retry-After in seconds", &BOTH_WAYS, |draw| {
            let busy = Reply::slow_down().retry_after(BUSY);
            let script = draw.script().asset_faults([busy]);
            Plan::exports(draw, script).lasts(BUSY).asked(2..=2)
        }),
        row("429 with Retry-After as a date", &BOTH_WAYS, |draw| {
            let busy = busy(429).retry_after_date(Duration::ZERO);
            let script = draw.script().asset_faults([busy]);
            Plan::exports(draw, script).asked(2..=2)
        }),
    ]);
    rows
}

fn refusal(status: u16) -> Reply {
    Reply::xml(status, "Refused", "the test refuses it")
}

/// The reply of an overloaded host.
fn busy(status: u16) -> Reply {
    Reply::xml(status, "SlowDown", "Please reduce your request rate.")
}

/// Connections that break, stall or drip, or send too much.
fn breaks() -> Vec<Row> {
    vec![
        row("hang-up, then fine", &BOTH_WAYS, |draw| {
            let faults = times(Fault::Hangup, draw.times());
            Plan::exports(draw, draw.script().asset_faults(faults)).asked(2..=6)
        }),
        row("hang-up for ever", &SINKS, |draw| {
            let script = draw.script().asset_always(Fault::Hangup);
            Plan::fails(draw, script, Download, true).asked(6..=6)
        }),
        row("lost reply", &BOTH_WAYS, |draw| {
            let faults = times(Fault::LostReply, draw.times());
            Plan::exports(draw, draw.script().asset_faults(faults)).asked(2..=6)
        }),
        row("cut", &ALL, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        row("cut behind the head", &ALL, |draw| {
            let script = draw.script().asset_faults([Fault::Cut { after: 0 }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        row("cut several times", &ALL, |draw| {
            let cuts: Vec<_> = (0..draw.times())
                .map(|_| Fault::Cut { after: draw.few() })
                .collect();
            let asked = cuts.len() + 1;
            let script = draw.script().asset_faults(cuts);
            Plan::exports(draw, script).asked(asked..=asked)
        }),
        row("cut for ever, without progress", &ALL, |draw| {
            let after = draw.few();
            let script = draw.script().asset_always(Fault::Cut { after });
            Plan::fails(draw, script, Download, true).asked(6..=6)
        }),
        row("cut for ever, with progress", &ALL, |draw| {
            let after = draw.progress();
            let script = draw.script().asset_always(Fault::Cut { after });
            let continues = draw.column.1.continues();
            Plan::exports_if(continues, draw, script, Download, true).asked(2..=8)
        }),
        large("cut behind a part", &BOTH_WAYS, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        large("cut behind a part, then for ever", &BOTH_WAYS, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            let script = script.asset_always(Fault::Cut { after: 0 });
            Plan::fails(draw, script, Download, true).asked(6..=7)
        }),
        row("reset", &ALL, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Reset { after }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        large("reset behind a part", &BOTH_WAYS, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Reset { after }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        row("stall", &ALL, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Stall { after }]);
            outlasting(Plan::exports(draw, script))
        }),
        row("stall for ever", &BOTH_WAYS, |draw| {
            let after = draw.few();
            let script = draw.script().asset_always(Fault::Stall { after });
            let plan = Plan::fails(draw, script, Download, true);
            plan.stalling().retries(2).asked(2..=9)
        }),
        large("stall behind a part", &BOTH_WAYS, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Stall { after }]);
            outlasting(Plan::exports(draw, script))
        }),
        row("drip", &ALL, |draw| {
            let after = draw.inside();
            let rest = draw.archive.len() - after;
            let drip = Fault::Drip {
                after,
                piece: rest / draw.rng.u64(5..60) + 1,
                pause: Duration::from_millis(1),
            };
            Plan::exports(draw, draw.script().asset_faults([drip])).asked(1..=1)
        }),
        row("drip of the last bytes, one by one", &SINKS, |draw| {
            let drip = Fault::Drip {
                after: draw.archive.len() - draw.rng.u64(1..60),
                piece: 1,
                pause: Duration::from_millis(1),
            };
            Plan::exports(draw, draw.script().asset_faults([drip])).asked(1..=1)
        }),
        row("surplus bytes behind the reply", &ALL, |draw| {
            let surplus = Fault::Surplus("Off,9,9,surplus\r\n".into());
            Plan::exports(draw, draw.script().asset_faults([surplus])).asked(1..=1)
        }),
    ]
}

/// Outlasts silence, including that of a busy machine.
fn outlasting(plan: Plan) -> Plan {
    plan.stalling().retries(15).asked(2..=30)
}

/// Archives that are shorter or longer than they should be.
fn lengths() -> Vec<Row> {
    vec![
        row("truncated", &ALL, |draw| {
            let whole = draw.archive.len();
            let at = draw.archive.cut(&mut draw.rng, 0..whole);
            let script = draw.script().truncated(at);
            Plan::fails(draw, script, IncompleteArchive, true).asked(1..=1)
        }),
        large("truncated behind a part", &BOTH_WAYS, |draw| {
            let bytes = draw.behind_a_part()..draw.archive.len();
            let at = draw.archive.cut(&mut draw.rng, bytes);
            let script = draw.script().truncated(at);
            Plan::fails(draw, script, IncompleteArchive, true).asked(1..=1)
        }),
        row("more is announced than comes", &ALL, |draw| {
            let more = draw.archive.len() + draw.rng.u64(1..5_000);
            let script = draw.script().declared_length(more);
            // A range or a chunked reply does not have the declared length.
            let announces = draw.column.1.announces();
            Plan::exports_if(!announces, draw, script, Download, true).asked(1..=20)
        }),
        row("less is announced than there is", &ALL, |draw| {
            let whole = draw.archive.len();
            let less = draw.archive.cut(&mut draw.rng, 1..whole);
            let script = draw.script().declared_length(less);
            let announces = draw.column.1.announces();
            Plan::exports_if(!announces, draw, script, IncompleteArchive, true).asked(1..=1)
        }),
        row("more than is allowed", &ALL, |draw| {
            let most = draw.rng.u64(1..draw.archive.len());
            let plan = Plan::fails(draw, draw.script(), TooLarge, false);
            plan.max_bytes(most).asked(1..=1)
        }),
        row("as much as is allowed", &ALL, |draw| {
            let most = draw.archive.len();
            Plan::exports(draw, draw.script())
                .max_bytes(most)
                .asked(1..=1)
        }),
        row("endless", &BOTH_WAYS, |draw| {
            let most = draw.archive.len() + draw.rng.u64(1..2_000_000);
            let script = draw.script().asset_faults([Fault::Endless]);
            let plan = Plan::fails(draw, script, endless(draw), false);
            plan.max_bytes(most).asked(1..=1)
        }),
        large("endless behind a part", &BOTH_WAYS, |draw| {
            let most = draw.archive.len() + draw.rng.u64(1..2_000_000);
            let script = draw.script().asset_faults([Fault::Endless]);
            let plan = Plan::fails(draw, script, endless(draw), false);
            plan.max_bytes(most).asked(1..=1)
        }),
    ]
}

/// The error that ends an endless reply. A range says where it should end.
fn endless(draw: &Draw) -> ExportErrorKind {
    match draw.column.1 {
        Host::NoRanges => TooLarge,
        _ => Download,
    }
}

fn page() -> Reply {
    Reply::html(200, "<html><title>Sign in</title></html>")
}

/// Replies that are not an archive, or not one that can be stored.
fn strangers() -> Vec<Row> {
    vec![
        row("page with 200, then fine", &BOTH_WAYS, |draw| {
            let script = draw.script().asset_faults([page()]);
            Plan::exports(draw, script).asked(2..=12)
        }),
        row("page with 200 for ever", &BOTH_WAYS, |draw| {
            let script = draw.script().asset_always(page());
            Plan::fails(draw, script, NotAnArchive, false).asked(1..=3)
        }),
        row("page with 200 midway", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script();
            let script = script.asset_faults([Fault::Cut { after }, page().into()]);
            Plan::exports(draw, script).asked(3..=12)
        }),
        row("called a page", &SINKS, |draw| {
            let script = draw.script().asset_header("Content-Type", "text/html");
            Plan::fails(draw, script, NotAnArchive, false).asked(1..=3)
        }),
        row("compressed", &BOTH_WAYS, |draw| {
            let script = draw.script().gzip();
            Plan::fails(draw, script, Download, false).asked(1..=3)
        }),
        row("called compressed", &SINKS, |draw| {
            let encoding = draw.pick(&["br", "gzip", "zstd", "deflate"]);
            let script = draw.script().asset_header("Content-Encoding", encoding);
            Plan::fails(draw, script, Download, false).asked(1..=3)
        }),
        row("header of megabytes, then fine", &SINKS, |draw| {
            let script = draw.script().asset_faults([megabytes()]);
            Plan::exports(draw, script).asked(2..=3)
        }),
        row("header of megabytes for ever", &SINKS, |draw| {
            let script = draw.script().asset_always(megabytes());
            Plan::fails(draw, script, Download, false).asked(1..=3)
        }),
        row("empty reply", &SINKS, |draw| {
            let script = draw.script().asset_faults([Reply::new(200)]);
            Plan::fails(draw, script, IncompleteArchive, true).asked(1..=1)
        }),
        row("stalls before the head, for ever", &SINKS, |draw| {
            let script = draw.script().asset_always(Fault::Stall { after: 0 });
            let plan = Plan::fails(draw, script, Download, true);
            plan.stalling().retries(1).asked(2..=4)
        }),
        row("hang-ups more than the retries", &BOTH_WAYS, |draw| {
            let faults = times(Fault::Hangup, FOR_EVER);
            let script = draw.script().asset_faults(faults);
            Plan::fails(draw, script, Download, true)
                .retries(2)
                .asked(3..=3)
        }),
    ]
}
