//! The HTML report of a run, a self-contained page.

mod downtime;
mod failures;
mod machines;
mod nights;
mod states;
mod timeline;
mod units;

use std::fmt;

use askama::Template;
use tulip_core::{format_byte_size, format_duration};
use tulip_fleet::{ItemOutcome, RunEnd, RunSummary};

use crate::Activity;

/// The HTML report of a run: self-contained, without scripts or network access.
///
/// It has a summary, the failures grouped by reason with advice, a timeline, the machines' states,
/// the nights with their trend, and every machine. It stays under 1 MB: if there are very many
/// machines, some tables show only the first and say so.
///
/// ```
/// use tulip_fleet::{RunEnd, RunSummary};
/// use tulip_report::HtmlReport;
///
/// let mut run = RunSummary::starting("https://acme.tulip.co", "/data/<tulip>");
/// run.end = RunEnd::Complete;
/// let page = HtmlReport::new(&run).to_string();
/// assert!(page.contains("/data/&#60;tulip&#62;"));
/// ```
#[derive(Debug, Clone)]
pub struct HtmlReport<'a> {
    run: &'a RunSummary,
    earlier: &'a [RunSummary],
    activity: &'a [(String, Result<Activity, String>)],
    days: u64,
}

impl<'a> HtmlReport<'a> {
    /// Creates a report of this run alone.
    #[must_use]
    pub fn new(run: &'a RunSummary) -> Self {
        Self {
            run,
            earlier: &[],
            activity: &[],
            days: 0,
        }
    }

    /// Adds a comparison with earlier runs to the same target.
    #[must_use]
    pub fn earlier(mut self, runs: &'a [RunSummary]) -> Self {
        self.earlier = runs;
        self
    }

    /// Adds the activity of machines in the last `days` days, by machine name; an error says why an
    /// archive could not be read.
    #[must_use]
    pub fn activity(
        mut self,
        machines: &'a [(String, Result<Activity, String>)],
        days: u64,
    ) -> Self {
        (self.activity, self.days) = (machines, days);
        self
    }
}

impl fmt::Display for HtmlReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = Page::of(self);
        page.render_into(f).map_err(|_| fmt::Error)
    }
}

/// The data of the template.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a RunSummary,
    date: String,
    started: String,
    ended: String,
    took: String,
    headline: &'static str,
    headline_class: &'static str,
    outcomes: Vec<(&'static str, String)>,
    exports: String,
    bytes: String,
    records: String,
    failures: Vec<failures::Group>,
    timeline: timeline::Timeline,
    states: Option<states::States>,
    nights: Vec<nights::Night>,
    machines: machines::Machines,
}

impl<'a> Page<'a> {
    fn of(report: &HtmlReport<'a>) -> Self {
        let run = report.run;
        let (headline, headline_class) = headline(run);
        let outcomes = ItemOutcome::all().map(|outcome| {
            let count = run.count(outcome) as u64;
            (words(outcome), units::count(count))
        });
        Self {
            run,
            date: run.started.date(),
            started: units::minute(run.started),
            ended: units::minute(run.ended),
            took: format_duration(units::between(run.started, run.ended)),
            headline,
            headline_class,
            outcomes: outcomes.collect(),
            exports: units::count(run.items.len() as u64),
            bytes: format_byte_size(run.stored_bytes()),
            records: units::count(run.stored_records()),
            failures: failures::groups(run),
            timeline: timeline::timeline(run),
            states: states::states(report.activity, report.days),
            nights: nights::nights(run, report.earlier),
            machines: machines::machines(run, report.earlier),
        }
    }
}

/// The result of the run in a sentence, and its CSS class.
fn headline(run: &RunSummary) -> (&'static str, &'static str) {
    match run.end {
        RunEnd::Failed => ("The run failed before its first export", "bad"),
        RunEnd::Interrupted => ("The run was interrupted", "bad"),
        RunEnd::Open => ("The run has not ended", "bad"),
        RunEnd::Stopped => ("The run ended early", "bad"),
        RunEnd::Complete if run.items.is_empty() => ("There was nothing to export", "good"),
        RunEnd::Complete if run.is_success() => ("Every machine is exported", "good"),
        RunEnd::Complete if run.items.iter().any(|item| item.outcome.is_success()) => {
            ("Some machines are not exported", "bad")
        }
        _ => ("No machine is exported", "bad"),
    }
}

fn words(outcome: ItemOutcome) -> &'static str {
    match outcome {
        ItemOutcome::Stored => "stored",
        ItemOutcome::Unchanged => "unchanged",
        ItemOutcome::NotStarted => "not started",
        ItemOutcome::StartUnknown => "start unknown",
        ItemOutcome::FailedAtTulip => "failed at Tulip",
        ItemOutcome::FailedToStore => "failed to store",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
