//! `tulip runs`

use serde::Serialize;
use tulip_core::{Timestamp, format_byte_size};
use tulip_fleet::ledger::{Ledger as _, RunOverview};
use tulip_fleet::{Counts, RunEnd};

use super::find;
use crate::args::RunsArgs;
use crate::failure::Failure;
use crate::output::{self, plain};
use crate::progress::Progress;
use crate::state;

pub(crate) async fn run(args: &RunsArgs, progress: &Progress) -> Result<(), Failure> {
    let ledger = state::existing(&args.state)?;
    let runs = match &ledger {
        Some(ledger) => ledger.runs().await.map_err(find::failure)?,
        None => Vec::new(),
    };
    if args.json {
        return runs
            .iter()
            .try_for_each(|overview| output::json(&Shown::of(overview)));
    }
    if runs.is_empty() {
        progress.say("no run is remembered");
        return Ok(());
    }
    let rows: Vec<_> = runs.iter().map(row).collect();
    output::table(
        ["RUN", "STATUS", "EXPORTS", "OK", "FAILED", "SIZE", "TARGET"],
        &rows,
    )
}

fn row(overview: &RunOverview) -> [String; 7] {
    let counts = &overview.counts;
    let (all, ok) = (counts.exports(), counts.stored + counts.unchanged);
    [
        plain(&overview.run.id),
        status(overview).to_owned(),
        all.to_string(),
        ok.to_string(),
        (all - ok - overview.open).to_string(),
        format_byte_size(counts.bytes),
        plain(&overview.run.target),
    ]
}

/// The status of a run, in one word.
pub(super) fn status(overview: &RunOverview) -> &'static str {
    let is_whole =
        || overview.counts.exports() == overview.counts.stored + overview.counts.unchanged;
    match overview.run.end {
        _ if overview.is_claimed => "running",
        // No process holds its claim, so the last one was killed.
        RunEnd::Open => "killed",
        RunEnd::Complete if is_whole() => "complete",
        RunEnd::Complete => "incomplete",
        other => other.as_str(),
    }
}

/// The counts without open exports, which the ledger counts as they would end now: as not started
/// or not stored.
pub(super) fn finished(overview: &RunOverview) -> Counts {
    let mut counts = overview.counts;
    let waiting = overview.open.min(counts.not_started);
    counts.not_started -= waiting;
    let under_way = overview.open - waiting;
    counts.failed_to_store = counts.failed_to_store.saturating_sub(under_way);
    counts
}

/// A run, as `--json` prints it; the fields are documented in docs/operations.md.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    run: &'a str,
    status: &'static str,
    reason: Option<&'a str>,
    instance: &'a str,
    target: &'a str,
    shard: Option<&'a str>,
    started: Timestamp,
    /// `None` for a run that is under way, or was killed.
    ended: Option<Timestamp>,
    process: Option<String>,
    open: usize,
    counts: Counts,
}

impl<'a> Shown<'a> {
    pub(super) fn of(overview: &'a RunOverview) -> Self {
        let run = &overview.run;
        Self {
            run: &run.id,
            status: status(overview),
            reason: run.reason.as_deref(),
            instance: &run.instance,
            target: &run.target,
            shard: run.shard.as_deref(),
            started: run.started,
            ended: (run.end != RunEnd::Open).then_some(run.ended),
            process: overview.holder.as_ref().map(ToString::to_string),
            open: overview.open,
            counts: finished(overview),
        }
    }
}
