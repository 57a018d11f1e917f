//! Refusals of a bucket's server.

use tulip_archive::ExportErrorKind::{
    Download, IncompleteArchive, Store, StoreFull, StorePermissionDenied,
};
use tulip_emulator::Fault;
use tulip_test_s3::{Refusal, Seen};

use crate::column::{BUCKET, BUCKET_ONCE};
use crate::plan::{Plan, Row, large, row};

const DENIED: Refusal = (403, "AccessDenied");

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("probe: 403", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            let plan = plan.starts(0).asked(0..=0);
            plan.refused(|seen| is_probe(seen).then_some(DENIED))
        }),
        row("probe: no such bucket", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), Store, false);
            let plan = plan.starts(0).asked(0..=0);
            plan.refused(|seen| is_probe(seen).then_some((404, "NoSuchBucket")))
        }),
        row("probe: 503 once", &BUCKET_ONCE, |draw| {
            let plan = Plan::exports(draw, draw.script());
            plan.refused(once(is_probe, (503, "SlowDown")))
        }),
        large("beginning: 403", &BUCKET, |draw| {
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            plan.refused(|seen| begins(seen).then_some(DENIED))
        }),
        large("beginning: 503 once", &BUCKET_ONCE, |draw| {
            let plan = Plan::exports(draw, draw.script());
            plan.refused(once(begins, (503, "SlowDown")))
        }),
        large("part: 403", &BUCKET, |draw| {
            let nth = draw.rng.u32(1..=2);
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            plan.refused(move |seen| is_part(seen, nth).then_some(DENIED))
        }),
        large("part: no room", &BUCKET_ONCE, |draw| {
            let nth = draw.rng.u32(1..=2);
            let full = (400, "QuotaExceeded");
            let plan = Plan::fails(draw, draw.script(), StoreFull, false);
            plan.refused(move |seen| is_part(seen, nth).then_some(full))
        }),
        large("end: 403", &BUCKET, |draw| {
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            plan.refused(|seen| ends(seen).then_some(DENIED))
        }),
        large("end: a part is missing", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), Store, true);
            plan.refused(|seen| ends(seen).then_some((400, "InvalidPart")))
        }),
        large("end: the upload is gone", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), Store, true);
            plan.refused(|seen| ends(seen).then_some((404, "NoSuchUpload")))
        }),
        large("end: 200 that holds an error, once", &BUCKET_ONCE, |draw| {
            let plan = Plan::exports(draw, draw.script());
            plan.refused(once(ends, (200, "InternalError")))
        }),
        large("end and abort: 403", &BUCKET_ONCE, |draw| {
            let plan =
                Plan::fails(draw, draw.script(), StorePermissionDenied, false).leaves_an_upload();
            plan.refused(|seen| (ends(seen) || aborts(seen)).then_some(DENIED))
        }),
        large("abort: 403", &BUCKET_ONCE, |draw| {
            let whole = draw.archive.len();
            let at = draw.behind_a_part();
            let at = draw.archive.cut(&mut draw.rng, at..whole);
            let script = draw.script().truncated(at);
            let plan = Plan::fails(draw, script, IncompleteArchive, true).leaves_an_upload();
            plan.refused(|seen| aborts(seen).then_some(DENIED))
        }),
        large("abort: 503 once", &BUCKET_ONCE, |draw| {
            let after = draw.behind_a_part();
            let script = draw.script().asset_faults([Fault::Cut { after }]);
            let script = script.asset_always(Fault::Hangup);
            let plan = Plan::fails(draw, script, Download, true);
            plan.refused(once(aborts, (503, "SlowDown")))
        }),
        large(
            "abort: 403 where the download starts over",
            &BUCKET_ONCE,
            |draw| {
                let after = draw.behind_a_part();
                let other = draw.archive.other(&mut draw.rng, true);
                let script = draw.script().replacement(other.bytes.clone());
                let script = script.asset_faults([Fault::Cut { after }]);
                let script = script.asset_always(Fault::Replaced);
                let plan = Plan::exports(draw, script).with(other).leaves_an_upload();
                plan.refused(|seen| aborts(seen).then_some(DENIED))
            },
        ),
        row("put: 403", &BUCKET, |draw| {
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            plan.refused(|seen| puts(seen).then_some(DENIED))
        }),
        row("put: the credentials have expired", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), StorePermissionDenied, false);
            plan.refused(|seen| puts(seen).then_some((400, "ExpiredToken")))
        }),
        row("put: what came was damaged", &BUCKET_ONCE, |draw| {
            let plan = Plan::fails(draw, draw.script(), Store, true);
            plan.refused(|seen| puts(seen).then_some((400, "BadDigest")))
        }),
        row("put: 503 once", &BUCKET, |draw| {
            let plan = Plan::exports(draw, draw.script());
            plan.refused(once(puts, (503, "SlowDown")))
        }),
        row("receipt: 403", &BUCKET, |draw| {
            let plan =
                Plan::exports(draw, draw.script()).although_stored(StorePermissionDenied, false);
            plan.refused(|seen| is_receipt(seen).then_some(DENIED))
        }),
        row("receipt: 500 once", &BUCKET_ONCE, |draw| {
            let plan = Plan::exports(draw, draw.script());
            plan.refused(once(is_receipt, (500, "InternalError")))
        }),
    ];
    for (status, code) in [(500, "InternalError"), (503, "SlowDown")] {
        rows.push(large(
            format!("part: {status} once"),
            &BUCKET,
            move |draw| {
                let nth = draw.rng.u32(1..=2);
                let plan = Plan::exports(draw, draw.script());
                plan.refused(once(move |seen| is_part(seen, nth), (status, code)))
            },
        ));
        rows.push(large(
            format!("end: {status} once"),
            &BUCKET_ONCE,
            move |draw| {
                let plan = Plan::exports(draw, draw.script());
                plan.refused(once(ends, (status, code)))
            },
        ));
    }
    rows
}

fn is_probe(seen: &Seen) -> bool {
    seen.target.contains(".tulip-probe")
}

fn is_receipt(seen: &Seen) -> bool {
    seen.target.contains("_latest.csv.receipt.json")
}

fn is_object(seen: &Seen) -> bool {
    seen.target.contains("latest.csv") && !is_receipt(seen)
}

fn begins(seen: &Seen) -> bool {
    is_object(seen) && seen.is_beginning()
}

fn is_part(seen: &Seen, nth: u32) -> bool {
    seen.is_part() && seen.target.contains(&format!("partNumber={nth}&"))
}

/// Whether this completes an upload, so that the object exists.
fn ends(seen: &Seen) -> bool {
    seen.method == "POST" && seen.target.contains("uploadId=")
}

fn aborts(seen: &Seen) -> bool {
    is_object(seen) && seen.is_abort()
}

/// Whether this puts the whole object.
fn puts(seen: &Seen) -> bool {
    is_object(seen) && seen.method == "PUT"
}

/// Refuses the first of these requests.
fn once(
    of: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    refusal: Refusal,
) -> impl FnMut(&Seen) -> Option<Refusal> + Send + Sync + 'static {
    let mut left = Some(refusal);
    move |seen| match of(seen) {
        true => left.take(),
        false => None,
    }
}
