//! Two faults at once: one of the host and one of the sink.

use tulip_archive::ExportErrorKind::{
    Download, IncompleteArchive, Store, StoreFull, StoreUnavailable,
};
use tulip_core::sink::SinkErrorKind::{Other, StorageFull, Unavailable};
use tulip_emulator::{Fault, Reply};

use super::times;
use crate::column::{BOTH_WAYS, BUCKET_ONCE, SINKS, UNSPLIT_BOTH_WAYS};
use crate::plan::{Plan, Row, large, row};
use crate::weak::{Of, Weakness};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("cut, and not stored", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            let plan = Plan::fails(draw, script, StoreUnavailable, true).asked(2..=2);
            plan.weak(Weakness::Close(Of::Object, Unavailable))
        }),
        row("expired, and full", &BOTH_WAYS, |draw| {
            // The URL is renewed. The export fails when the sink is full.
            let after = draw.few();
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            let plan = Plan::fails(draw, script, StoreFull, false).asked(1..=3);
            plan.weak(Weakness::Write(Of::Object, 2, StorageFull))
        }),
        row(
            "another archive, and no abort",
            &UNSPLIT_BOTH_WAYS,
            |draw| {
                let after = draw.inside();
                let other = draw.archive.other(&mut draw.rng, true);
                let script = draw.script().replacement(other.bytes.clone());
                let script = script.asset_faults([Fault::Cut { after }]);
                let script = script.asset_always(Fault::Replaced);
                let plan = Plan::exports(draw, script).with(other).asked(2..=4);
                plan.weak(Weakness::Abort)
            },
        ),
        row(
            "another archive, and no second object",
            &UNSPLIT_BOTH_WAYS,
            |draw| {
                let after = draw.inside();
                let other = draw.archive.other(&mut draw.rng, false);
                let script = draw.script().replacement(other.bytes);
                let script = script.asset_faults([Fault::Cut { after }]);
                let script = script.asset_always(Fault::Replaced);
                let plan = Plan::fails(draw, script, StoreUnavailable, true).asked(2..=4);
                plan.weak(Weakness::Open(Of::Object, 2, Unavailable))
            },
        ),
        row("cut for ever, and no abort", &BOTH_WAYS, |draw| {
            let after = draw.few();
            let script = draw.script().asset_always(Fault::Cut { after });
            let plan = Plan::fails(draw, script, Download, true);
            plan.weak(Weakness::Abort)
        }),
        large(
            "truncated behind a part, and no abort",
            &BOTH_WAYS,
            |draw| {
                let bytes = draw.behind_a_part()..draw.archive.len();
                let at = draw.archive.cut(&mut draw.rng, bytes);
                let script = draw.script().truncated(at);
                let plan = Plan::fails(draw, script, IncompleteArchive, true);
                plan.weak(Weakness::Abort)
            },
        ),
        large("cut behind a part, and not stored", &SINKS, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            let plan = Plan::fails(draw, script, Store, false).asked(2..=2);
            plan.weak(Weakness::Close(Of::Object, Other))
        }),
        row("busy everywhere, slow sink", &BOTH_WAYS, |draw| {
            let busy = || Reply::busy(503);
            let script = draw.script().status_faults(times(busy(), draw.times()));
            let script = script.asset_faults(times(Reply::slow_down(), draw.times()));
            let times = draw.rng.usize(1..4);
            let plan = Plan::exports(draw, script).weak(Weakness::Yields(times));
            plan.start_faults([Reply::busy(429)])
        }),
        large("busy host, busy store", &BUCKET_ONCE, |draw| {
            let after = draw.behind_a_part();
            let slow = Reply::slow_down().into();
            let script = draw.script();
            let script = script.asset_faults([slow, Fault::Cut { after }]);
            let mut left = Some((503, "SlowDown"));
            let plan = Plan::exports(draw, script).asked(3..=3);
            plan.refused(move |seen| match seen.is_part() {
                true => left.take(),
                false => None,
            })
        }),
    ]
}
