//! Hosts and servers that are odd but not wrong: any other client copes with them.

use tulip_archive::ExportErrorKind::Api;
use tulip_emulator::{Fault, JobScript, Reply};

use super::{then, times};
use crate::column::{CONTINUING, SINKS};
use crate::plan::{Draw, Plan, Row, large, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = ranges();
    rows.extend(tags());
    rows.extend(not_found());
    rows.extend(replies());
    rows.extend(starts());
    rows
}

/// Requests for ranges fail, but the whole archive can be downloaded.
fn ranges() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in [400, 403, 404, 405, 416, 501, 503] {
        rows.push(row(format!("ranges: {status}"), &SINKS, move |draw| {
            let page = Reply::html(status, "<html><title>Blocked</title></html>");
            without_ranges(draw, page.into())
        }));
    }
    for (fault, what) in [
        (Fault::Hangup, "hang-up"),
        (Fault::Reset { after: 0 }, "reset"),
    ] {
        rows.push(row(format!("ranges: {what}"), &SINKS, move |draw| {
            without_ranges(draw, fault.clone())
        }));
    }
    rows
}

fn without_ranges(draw: &Draw, fault: Fault) -> Plan {
    Plan::exports(draw, draw.script().asset_ranged(fault)).asked(2..=20)
}

/// An odd change to a script.
type Oddity = fn(JobScript) -> JobScript;

/// The same bytes, with inconsistent tags.
fn tags() -> Vec<Row> {
    let oddities: [(&str, Oddity); 3] = [
        ("412 to its own tag", JobScript::refusing_if_match),
        ("a tag for each request", JobScript::etag_per_request),
        ("a tag for each request, unconditional", |script| {
            script.etag_per_request().without_if_match()
        }),
    ];
    let mut rows = Vec::new();
    for (what, oddity) in oddities {
        rows.push(row(format!("{what}, cut"), &CONTINUING, move |draw| {
            let after = draw.inside();
            let script = oddity(draw.script()).asset_faults([Fault::Cut { after }]);
            Plan::exports(draw, script).asked(2..=20)
        }));
        rows.push(large(what, &CONTINUING, move |draw| {
            Plan::exports(draw, oddity(draw.script())).asked(1..=20)
        }));
    }
    rows
}

/// An archive that is announced before it is visible everywhere.
fn not_found() -> Vec<Row> {
    let mut rows = vec![row("404 at a fresh URL", &SINKS, |draw| {
        let times = draw.rng.u32(1..=2);
        let script = draw.script().url_not_found(times);
        Plan::exports(draw, script).asked(2..=20)
    })];
    for status in [404, 410] {
        rows.push(row(format!("{status}, then fine"), &SINKS, move |draw| {
            let gone = Reply::xml(status, "NoSuchKey", "The specified key does not exist.");
            let script = draw.script().asset_faults(times(gone, draw.times().min(3)));
            Plan::exports(draw, script).asked(2..=20)
        }));
    }
    rows
}

/// Odd status replies, some of them after a good one.
fn replies() -> Vec<Row> {
    let mut rows = Vec::new();
    for (reply, what) in [
        (Reply::new(200), "nothing"),
        (Reply::new(202), "nothing, 202"),
        (Reply::new(204), "nothing, 204"),
        (Reply::html(200, "<title>Sign in</title>"), "a page"),
        (Reply::redirect(302, "https://login.invalid/"), "a redirect"),
        (Reply::new(200).body("{\"id\":\"abc\",\"sta"), "half a JSON"),
    ] {
        rows.push(row(format!("status: {what}, once"), &SINKS, move |draw| {
            let faults = then(Fault::None, [reply.clone().into()]);
            let script = draw.script().pending_polls(2).status_faults(faults);
            Plan::exports(draw, script)
        }));
    }
    rows.extend([
        row("status: of another job", &SINKS, |draw| {
            let script = draw.script().status_id("somebodyelse");
            Plan::fails(draw, script, Api, false).asked(0..=0)
        }),
        row("status: a byte order mark before it", &SINKS, |draw| {
            let mark = Fault::Before("\u{feff}".into());
            Plan::exports(draw, draw.script().status_faults(times(mark, 9)))
        }),
    ]);
    rows
}

/// Replies to a start that name the job and little else.
fn starts() -> Vec<Row> {
    let mut rows = Vec::new();
    for (reply, what) in [
        (r#"{"id":"{id}"}"#, "no status"),
        (r#"{"id":"{id}","status":null}"#, "no status but null"),
        (r#"{"id":"{id}","status":200}"#, "a number as status"),
        (r#"{"id":{id}}"#, "a number as id"),
        ("\u{feff}{\"id\":\"{id}\"}", "a byte order mark"),
    ] {
        rows.push(row(format!("start: {what}"), &SINKS, move |draw| {
            let script = draw.script().numeric_id().start_reply(reply);
            Plan::exports(draw, script)
        }));
    }
    rows
}
