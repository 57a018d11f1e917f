//! Runs that left incomplete exports.

use std::sync::Arc;

use tulip_archive::IncompleteExport;
use tulip_archive::state::StateError;

use super::contract::{BeginOutcome, Continue, Ledger, NewRun};
use super::log::RunLog;
use crate::{ItemSummary, RunEnd, RunSummary};

/// Earlier runs whose incomplete exports this process resumes, claimed so that their results are
/// recorded there. Dropping it leaves the runs open, for another process to continue.
#[derive(Debug)]
pub struct LeftRuns {
    ledger: Arc<dyn Ledger>,
    runs: Vec<LeftRun>,
}

#[derive(Debug)]
struct LeftRun {
    /// As it was left.
    run: RunSummary,
    log: Arc<RunLog>,
}

impl LeftRuns {
    /// Claims, for each of these exports, the latest run that left it and that no process is
    /// working on. Each export comes with its target in the form of [`RunSummary::target`].
    ///
    /// # Errors
    /// [`StateError`] when the ledger cannot be read or written.
    ///
    /// # Cancellation
    /// If the future is dropped, the claims are released. The runs that it had claimed are then
    /// open, however they had ended.
    pub async fn claim(
        ledger: Arc<dyn Ledger>,
        exports: &[(String, &IncompleteExport)],
    ) -> Result<Self, StateError> {
        let mut missing: Vec<_> = exports.iter().collect();
        let mut runs = Vec::new();
        for overview in ledger.runs().await? {
            let found = &overview.run;
            let is_of = |(target, open): &(String, &IncompleteExport)| {
                (found.target.as_str(), found.instance.as_str()) == (target, open.instance())
            };
            if overview.is_claimed || !missing.iter().any(|export| is_of(export)) {
                continue;
            }
            let Some(run) = ledger.run(&found.id).await? else {
                continue;
            };
            let before = missing.len();
            missing.retain(|(target, open)| !has_left(&run, target, open));
            if missing.len() == before {
                continue;
            }
            let continues = Continue::Run(run.id.clone());
            let new = NewRun::new(run.clone(), "").continuing(continues);
            // A run that another process has claimed in the meantime is left to that process.
            if let BeginOutcome::Claimed { claim, .. } = ledger.begin(new).await? {
                let log = Arc::new(RunLog::new(ledger.clone(), claim));
                runs.push(LeftRun { run, log });
            }
        }
        Ok(Self { ledger, runs })
    }

    /// Returns the log that records the end of an export: see [`Plan::with_incomplete`].
    ///
    /// [`Plan::with_incomplete`]: crate::Plan::with_incomplete
    #[must_use]
    pub fn log_of(&self, target: &str, export: &IncompleteExport) -> Option<Arc<RunLog>> {
        let mut runs = self.runs.iter();
        let left = runs.find(|left| has_left(&left.run, target, export))?;
        Some(left.log.clone())
    }

    /// Ends the runs as they ended before, or as complete if none of their exports is left, and
    /// returns them as they are now.
    ///
    /// # Errors
    /// [`StateError`] when the ledger cannot be read or written.
    ///
    /// # Cancellation
    /// If the future is dropped, some runs have ended and the others are open, for another process
    /// to continue.
    pub async fn end(self) -> Result<Vec<RunSummary>, StateError> {
        let mut ended = Vec::new();
        for LeftRun { run: before, log } in self.runs {
            let Some(mut run) = self.ledger.run(&before.id).await? else {
                continue;
            };
            let is_whole = run.items.iter().all(|item| item.outcome.is_success());
            let is_open = run.items.iter().any(|item| item.is_open);
            (run.end, run.reason) = match before.end {
                _ if is_whole => (RunEnd::Complete, None),
                RunEnd::Open if !is_open => (RunEnd::Complete, None),
                end => (end, before.reason),
            };
            // Dropping the log leaves a run open.
            if run.end != RunEnd::Open {
                log.end(run.end, run.reason.clone()).await?;
            }
            ended.push(run);
        }
        Ok(ended)
    }
}

/// Whether a run left an export, with the same job if it had started one.
fn has_left(run: &RunSummary, target: &str, export: &IncompleteExport) -> bool {
    let Some(source) = export.source() else {
        return false;
    };
    let id = ItemSummary::waiting(&source).id();
    let is_left = |item: &ItemSummary| {
        !item.outcome.is_success()
            && item.id() == id
            && item
                .job
                .as_ref()
                .is_none_or(|job| Some(job) == export.job())
    };
    (run.target.as_str(), run.instance.as_str()) == (target, export.instance())
        && run.items.iter().any(is_left)
}
