//! Faults of a job.

use std::time::Duration;

use tulip_archive::ExportErrorKind::{DeadlineExceeded, JobFailed};

use crate::column::SINKS;
use crate::plan::{Plan, Row, row};

/// The deadline of jobs that never complete.
const DEADLINE: Duration = Duration::from_millis(500);

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("it fails", &SINKS, |draw| {
            let script = draw.script().pending_polls(draw.rng.u32(0..4));
            let script = script.fails("the export ran out of disk");
            Plan::fails(draw, script, JobFailed, false).asked(0..=0)
        }),
        row("it fails silently", &SINKS, |draw| {
            let script = draw.script().pending_polls(draw.rng.u32(0..4));
            Plan::fails(draw, script.fails_silently(), JobFailed, false).asked(0..=0)
        }),
        row("it is pending for ever", &SINKS, |draw| {
            let script = draw.script().pending_until_released();
            Plan::fails(draw, script, DeadlineExceeded, true)
                .deadline(DEADLINE)
                .of_job()
                .asked(0..=0)
                .requests(2000)
        }),
        row("its status flaps", &SINKS, |draw| {
            let names = ["pending", "zipping", "running", "queued", "done?"];
            let mut statuses: Vec<_> = (0..6).map(|_| draw.pick(&names)).collect();
            statuses.push("complete");
            Plan::exports(draw, draw.script().statuses(statuses))
        }),
        row("its status is unknown for ever", &SINKS, |draw| {
            let script = draw.script().statuses(["zipping", "packing"]);
            Plan::fails(draw, script, DeadlineExceeded, true)
                .deadline(DEADLINE)
                .of_job()
                .asked(0..=0)
                .requests(2000)
        }),
        row("its resource comes late", &SINKS, |draw| {
            let late = draw.script();
            let polls = draw.rng.u32(1..=5);
            Plan::exports(draw, late.complete_without_resource(polls))
        }),
        row("its resource never comes", &SINKS, |draw| {
            let script = draw.script().complete_without_resource(u32::MAX);
            Plan::fails(draw, script, JobFailed, false).asked(0..=0)
        }),
        row("its resource is no URL", &SINKS, |draw| {
            let texts = ["not a url", "", "/factory/x.csv", "ftp://h.invalid/x.csv"];
            let script = draw.script().resource(draw.pick(&texts));
            Plan::fails(draw, script, JobFailed, false).asked(0..=0)
        }),
        row("its resource holds a password", &SINKS, |draw| {
            let script = draw.script();
            let script = script.resource("http://u:p4ss@h.invalid/x?Signature=abc");
            Plan::fails(draw, script, JobFailed, false).asked(0..=0)
        }),
    ]
}
