//! Faults of a download that continues where it broke off.

use tulip_archive::ExportErrorKind::Download;
use tulip_emulator::{Fault, RangeFault, Reply};

use super::{then, times};
use crate::column::{ALL, BOTH_WAYS, CONTINUING, Host};
use crate::plan::{Draw, Plan, Row, large, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = ranges();
    rows.extend(replies());
    rows.extend(changes());
    rows
}

/// A range other than the requested one: the download starts over, and never mixes archives.
fn ranges() -> Vec<Row> {
    vec![
        row("range begins later", &CONTINUING, |draw| {
            let by = draw.rng.i64(1..2_000);
            let after = draw.rng.u64(1..draw.archive.len() - 2_000);
            ranged(draw, after, RangeFault::Shifted { by })
        }),
        row("range begins earlier", &CONTINUING, |draw| {
            let by = -draw.rng.i64(1..2_000);
            let after = draw.rng.u64(2_000..draw.archive.len());
            ranged(draw, after, RangeFault::Shifted { by })
        }),
        row("range of a longer archive", &CONTINUING, |draw| {
            let total = draw.archive.len() + draw.rng.u64(1..5_000);
            let after = draw.inside();
            ranged(draw, after, RangeFault::Total(total))
        }),
        row("range of a shorter archive", &CONTINUING, |draw| {
            let total = draw.inside();
            let after = draw.inside();
            ranged(draw, after, RangeFault::Total(total))
        }),
        row("range is not named", &CONTINUING, |draw| {
            let after = draw.inside();
            ranged(draw, after, RangeFault::Missing)
        }),
        row("range is of an unknown length", &CONTINUING, |draw| {
            let after = draw.inside();
            let text = format!("bytes {after}-{}/*", draw.archive.len() - 1);
            ranged(draw, after, RangeFault::Text(text))
        }),
        row("range is nonsense", &CONTINUING, |draw| {
            let after = draw.inside();
            let text = draw.pick(&["bytes", "bytes 9-5/3", "lines 1-2/3", "bytes -1-5/9", "x"]);
            ranged(draw, after, RangeFault::Text(text.to_owned()))
        }),
        row("range has fewer bytes", &CONTINUING, |draw| {
            let after = draw.rng.u64(1..draw.archive.len() - 1);
            let fewer = draw.rng.u64(1..draw.archive.len() - after);
            ranged(draw, after, RangeFault::Bytes(fewer))
        }),
        row("range has more bytes", &CONTINUING, |draw| {
            let after = draw.inside();
            let rest = draw.archive.len() - after;
            let more = rest + draw.rng.u64(1..5_000);
            let plan = ranged(draw, after, RangeFault::Bytes(more));
            match draw.column.1 {
                Host::Chunked => plan.fails_instead(Download, false),
                _ => plan,
            }
        }),
        row("range announces fewer bytes", &CONTINUING, |draw| {
            let after = draw.rng.u64(1..draw.archive.len() - 1);
            let fewer = draw.rng.u64(0..draw.archive.len() - after);
            ranged(draw, after, RangeFault::Length(fewer))
        }),
        row("range announces more bytes", &CONTINUING, |draw| {
            let after = draw.inside();
            let rest = draw.archive.len() - after;
            let more = rest + draw.rng.u64(1..5_000);
            ranged(draw, after, RangeFault::Length(more))
        }),
        large("range begins later, behind a part", &BOTH_WAYS, |draw| {
            let by = draw.rng.i64(1..2_000);
            let after = draw.behind_a_part().min(draw.archive.len() - 2_000);
            ranged(draw, after, RangeFault::Shifted { by })
        }),
    ]
}

fn ranged(draw: &Draw, after: u64, fault: RangeFault) -> Plan {
    let faults = [Fault::Cut { after }, Fault::Range(fault)];
    Plan::exports(draw, draw.script().asset_faults(faults)).asked(2..=5)
}

/// Replies other than a range.
fn replies() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in [408, 429, 500, 502, 503] {
        let name = format!("{status}, then fine");
        rows.push(row(name, &BOTH_WAYS, move |draw| {
            let after = draw.inside();
            let busy = Reply::xml(status, "SlowDown", "Please reduce your request rate.");
            let faults = then(Fault::Cut { after }, times(busy, draw.rng.usize(1..=4)));
            let script = draw.script().asset_faults(faults);
            Plan::exports(draw, script).asked(3..=6)
        }));
    }
    // These two answer a condition or a range. If the request had neither, they are only odd.
    for status in [412, 416] {
        let name = format!("{status}, then fine");
        rows.push(row(name, &BOTH_WAYS, move |draw| {
            let after = draw.inside();
            let no = Reply::xml(status, "Refused", "the test refuses it").into();
            let script = draw.script().asset_faults([Fault::Cut { after }, no]);
            Plan::exports(draw, script).asked(2..=4)
        }));
    }
    for status in [404, 422] {
        let name = format!("{status}, then fine");
        rows.push(row(name, &BOTH_WAYS, move |draw| {
            let after = draw.inside();
            let gone = Reply::xml(status, "Refused", "the test refuses it").into();
            let script = draw.script().asset_faults([Fault::Cut { after }, gone]);
            // For a range of a split archive, a 422 is final.
            let recovers = status == 404 || draw.column.1 != Host::Split;
            Plan::exports_if(recovers, draw, script, Download, false).asked(2..=4)
        }));
    }
    rows
}

/// Another archive under the same name.
fn changes() -> Vec<Row> {
    let mut rows = Vec::new();
    for (minds, what) in [(true, "If-Match"), (false, "no If-Match")] {
        for as_long in [true, false] {
            let other = match as_long {
                true => format!("another, as long, from then on ({what})"),
                false => format!("another, shorter, from then on ({what})"),
            };
            rows.push(row(other, &ALL, move |draw| {
                let after = draw.inside();
                changed_for_good(draw, after, minds, as_long)
            }));
        }
        let once = format!("another for one request ({what})");
        rows.push(row(once, &ALL, move |draw| {
            let after = draw.inside();
            let as_long = draw.rng.bool();
            let other = draw.archive.other(&mut draw.rng, as_long);
            let script = draw.script().replacement(other.bytes.clone());
            let script = match minds {
                true => script,
                false => script.without_if_match(),
            };
            let script = script.asset_faults([Fault::Cut { after }, Fault::Replaced]);
            // If the two cannot be told apart, or the other one is not refused, the download starts
            // over with it.
            let taken = match draw.column.1 {
                Host::Untagged => true,
                Host::NoRanges => !minds,
                Host::Ranges | Host::Split | Host::Chunked => false,
            };
            let plan = Plan::exports(draw, script).asked(2..=3);
            match taken {
                true => plan.with(other),
                false => plan,
            }
        }));
    }
    rows.extend([
        large("another, as long, behind a part", &BOTH_WAYS, |draw| {
            let after = draw.behind_a_part();
            changed_for_good(draw, after, true, true)
        }),
        row("a weak tag, and a cut", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_header("ETag", "W/\"1\"");
            let script = script.asset_faults([Fault::Cut { after }]);
            Plan::exports(draw, script).asked(2..=2)
        }),
        row(
            "the same tag on another archive, whole",
            &BOTH_WAYS,
            |draw| {
                // The change cannot be detected, but the download starts over, so nothing is mixed.
                let after = draw.inside();
                let other = draw.archive.other(&mut draw.rng, true);
                let script = draw.script().without_ranges();
                let script = script.asset_header("ETag", "\"1\"");
                let script = script.without_if_match().replacement(other.bytes.clone());
                let script = script.asset_faults([Fault::Cut { after }, Fault::Replaced]);
                Plan::exports(draw, script).with(other).asked(2..=2)
            },
        ),
    ]);
    rows
}

fn changed_for_good(draw: &mut Draw, after: u64, minds: bool, as_long: bool) -> Plan {
    let other = draw.archive.other(&mut draw.rng, as_long);
    let script = draw.script().replacement(other.bytes.clone());
    let script = match minds {
        true => script,
        false => script.without_if_match(),
    };
    let script = script.asset_faults([Fault::Cut { after }]);
    let script = script.asset_always(Fault::Replaced);
    Plan::exports(draw, script).with(other).asked(2..=4)
}
