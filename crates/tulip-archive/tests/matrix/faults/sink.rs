//! Faults of any sink.

use std::time::Duration;

use tulip_archive::ExportErrorKind;
use tulip_core::sink::SinkErrorKind::{self, Other, PermissionDenied, StorageFull, Unavailable};

use crate::column::{BOTH_WAYS, SINKS, SINKS_HINTED};
use crate::plan::{Draw, Plan, Row, STALL, large, row};
use crate::weak::{Of, Weakness};

/// Kinds of failures, and whether a retry can help.
const KINDS: [(SinkErrorKind, &str, bool); 3] = [
    (Unavailable, "unavailable", true),
    (StorageFull, "full", false),
    (PermissionDenied, "denied", false),
];

/// The kind of the export's error.
fn export_kind(kind: SinkErrorKind) -> ExportErrorKind {
    match kind {
        Unavailable => ExportErrorKind::StoreUnavailable,
        StorageFull => ExportErrorKind::StoreFull,
        PermissionDenied => ExportErrorKind::StorePermissionDenied,
        _ => ExportErrorKind::Store,
    }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, word, retryable) in KINDS {
        rows.push(row(format!("probe: {word}"), &SINKS, move |draw| {
            let plan = fails(draw, kind, retryable, Weakness::Probe(kind));
            plan.starts(0).asked(0..=0)
        }));
        rows.push(row(format!("open: {word}"), &SINKS, move |draw| {
            fails(draw, kind, retryable, Weakness::Open(Of::Object, 1, kind))
        }));
        rows.push(row(format!("write: {word}"), &SINKS_HINTED, move |draw| {
            let nth = draw.rng.usize(1..=3);
            fails(
                draw,
                kind,
                retryable,
                Weakness::Write(Of::Object, nth, kind),
            )
        }));
        rows.push(large(
            format!("write behind a part: {word}"),
            &SINKS_HINTED,
            move |draw| {
                let bytes = draw.behind_a_part();
                fails(draw, kind, retryable, Weakness::WriteBehind(bytes, kind))
            },
        ));
        rows.push(row(format!("close: {word}"), &SINKS_HINTED, move |draw| {
            fails(draw, kind, retryable, Weakness::Close(Of::Object, kind))
        }));
        rows.push(row(format!("close, stored: {word}"), &SINKS, move |draw| {
            // The export looks the object up before it fails, and finds its own.
            let weakness = Weakness::AnswerLost(Of::Object, kind);
            Plan::exports(draw, draw.script()).weak(weakness)
        }));
        rows.push(row(format!("receipt, open: {word}"), &SINKS, move |draw| {
            unreceipted(draw, kind, retryable, Weakness::Open(Of::Receipt, 1, kind))
        }));
        rows.push(row(
            format!("receipt, write: {word}"),
            &SINKS,
            move |draw| unreceipted(draw, kind, retryable, Weakness::Write(Of::Receipt, 1, kind)),
        ));
        rows.push(row(
            format!("receipt, close: {word}"),
            &SINKS,
            move |draw| unreceipted(draw, kind, retryable, Weakness::Close(Of::Receipt, kind)),
        ));
    }
    rows.extend([
        large("close behind a part: other", &SINKS_HINTED, |draw| {
            fails(draw, Other, false, Weakness::Close(Of::Object, Other))
        }),
        row("slow writes", &BOTH_WAYS, |draw| {
            let times = draw.rng.usize(1..4);
            Plan::exports(draw, draw.script()).weak(Weakness::Yields(times))
        }),
        large("slow writes of several parts", &SINKS_HINTED, |draw| {
            let times = draw.rng.usize(1..4);
            Plan::exports(draw, draw.script()).weak(Weakness::Yields(times))
        }),
        row("a write longer than silence may last", &BOTH_WAYS, |draw| {
            let nth = draw.rng.usize(1..=3);
            let pause = STALL + Duration::from_millis(100);
            let plan = Plan::exports(draw, draw.script()).lasts(pause);
            plan.weak(Weakness::Pauses(nth, pause)).stalling()
        }),
        row("fewer bytes stored than sent", &SINKS, |draw| {
            let weakness = Weakness::Misses(draw.inside());
            let plan = Plan::exports(draw, draw.script()).weak(weakness);
            plan.although_stored(ExportErrorKind::Store, false)
        }),
        row("another checksum computed", &SINKS, |draw| {
            let plan = Plan::exports(draw, draw.script()).weak(Weakness::Garbled);
            plan.although_stored(ExportErrorKind::Store, true)
        }),
    ]);
    rows
}

fn fails(draw: &Draw, kind: SinkErrorKind, retryable: bool, weakness: Weakness) -> Plan {
    Plan::fails(draw, draw.script(), export_kind(kind), retryable).weak(weakness)
}

fn unreceipted(draw: &Draw, kind: SinkErrorKind, retryable: bool, weakness: Weakness) -> Plan {
    let plan = Plan::exports(draw, draw.script()).weak(weakness);
    plan.although_stored(export_kind(kind), retryable)
}
