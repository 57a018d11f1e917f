//! Bodies that are not an archive, or not a whole one.

use tulip_archive::ExportErrorKind::{Download, EmptyArchive, IncompleteArchive, NotAnArchive};
use tulip_emulator::{ContentFault, Fault, Reply};

use super::times;
use crate::column::{BOTH_WAYS, SINKS};
use crate::plan::{Plan, Row, row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = strangers();
    rows.extend(endings());
    rows.extend(headers());
    rows
}

/// Bodies that are labelled as archives but are not.
fn strangers() -> Vec<Row> {
    let mut rows = Vec::new();
    for (fault, what, retryable) in [
        (xml("SlowDown"), "an error of a busy store", true),
        (xml("InternalError"), "a store's internal error", true),
        (xml("AccessDenied"), "a store's refusal", false),
        (ContentFault::Json, "an error of Tulip", true),
        (ContentFault::Html, "a page", false),
        (ContentFault::Gzip, "gzip", false),
        (ContentFault::Utf16Le, "UTF-16, little-endian", false),
        (ContentFault::Utf16Be, "UTF-16, big-endian", false),
    ] {
        rows.push(row(what, &BOTH_WAYS, move |draw| {
            let script = draw.script().content_fault(fault.clone());
            // A reply that a busy server may have sent is retried. Anything else is final.
            let most = if retryable { 20 } else { 2 };
            Plan::fails(draw, script, NotAnArchive, retryable).asked(1..=most)
        }));
    }
    rows.extend([
        row("an error of a busy store, then fine", &BOTH_WAYS, |draw| {
            let busy = Reply::xml(200, "SlowDown", "Please reduce your request rate.");
            let faults = times(busy, draw.times());
            let asked = faults.len() + 1;
            let script = draw.script().asset_faults(faults);
            Plan::exports(draw, script).asked(asked..=asked)
        }),
        row("a page midway, called an archive", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let page = Reply::new(200)
                .header("Content-Type", "text/csv")
                .body("<html><title>Sign in</title></html>\n");
            let script = draw.script();
            let script = script.asset_faults([Fault::Cut { after }, page.into()]);
            // The page must not be appended to the archive, and it may be temporary.
            Plan::exports(draw, script).asked(3..=12)
        }),
    ]);
    rows
}

fn xml(code: &str) -> ContentFault {
    ContentFault::Xml(code.to_owned())
}

/// Archives that do not end as they should.
fn endings() -> Vec<Row> {
    let mut rows = Vec::new();
    for (text, what) in [
        ("{\"errorCode\":\"Internal\"}\n", "an error as JSON"),
        (
            "__exception__\nCode: 395. DB::Exception: error in the stream!\n",
            "an exception",
        ),
    ] {
        rows.push(row(format!("{what} behind it"), &BOTH_WAYS, move |draw| {
            let fault = ContentFault::Appended(text.into());
            let script = draw.script().content_fault(fault);
            Plan::fails(draw, script, IncompleteArchive, true)
        }));
    }
    rows.extend([
        row("the last record lacks a field", &BOTH_WAYS, |draw| {
            let script = draw.script().content_fault(ContentFault::Ragged);
            Plan::fails(draw, script, IncompleteArchive, true)
        }),
        row("NULs behind it", &BOTH_WAYS, |draw| {
            let nuls = ContentFault::Nuls(draw.rng.usize(1..5_000));
            let script = draw.script().content_fault(nuls);
            Plan::fails(draw, script, NotAnArchive, false)
        }),
        row("a header alone in place of records", &BOTH_WAYS, |draw| {
            let script = draw.script().content_fault(ContentFault::HeaderOnly);
            Plan::fails(draw, script, EmptyArchive, false).asked(1..=2)
        }),
    ]);
    rows
}

/// Headers that describe the body.
fn headers() -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in [
        "application/json",
        "application/xml",
        "image/png",
        "application/zip",
    ] {
        rows.push(row(format!("called {kind}"), &SINKS, move |draw| {
            let script = draw.script().asset_header("Content-Type", kind);
            Plan::fails(draw, script, NotAnArchive, false).asked(1..=2)
        }));
    }
    for kind in [
        "text/plain",
        "application/octet-stream",
        "binary/octet-stream",
        "application/csv",
    ] {
        rows.push(row(format!("called {kind}"), &SINKS, move |draw| {
            let script = draw.script().asset_header("Content-Type", kind);
            Plan::exports(draw, script).asked(1..=1)
        }));
    }
    for coding in [
        "identity",
        "",
        "utf-8",
        "aws-chunked",
        "binary",
        "identity, aws-chunked",
    ] {
        rows.push(row(
            format!("called encoded, {coding:?}"),
            &SINKS,
            move |draw| {
                let script = draw.script().asset_header("Content-Encoding", coding);
                Plan::exports(draw, script).asked(1..=1)
            },
        ));
    }
    rows.push(row(
        "Transfer-Encoding: identity, and cut",
        &SINKS,
        |draw| {
            let after = draw.few();
            let script = draw.script().asset_header("Transfer-Encoding", "identity");
            let script = script.asset_always(Fault::Cut { after });
            Plan::fails(draw, script, Download, true)
        },
    ));
    rows.push(row("Transfer-Encoding: identity", &SINKS, |draw| {
        let script = draw.script().asset_header("Transfer-Encoding", "identity");
        Plan::exports(draw, script).asked(1..=2)
    }));
    rows
}
