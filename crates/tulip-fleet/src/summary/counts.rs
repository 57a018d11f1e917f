//! Counts of a run's exports by outcome.

use serde::{Deserialize, Serialize};

use crate::ItemOutcome;

/// Counts of a run's exports by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Exports stored by this run.
    pub stored: usize,
    /// Exports whose archive was already at the target.
    pub unchanged: usize,
    /// Exports without a started job.
    pub not_started: usize,
    /// Exports for which it is not known whether a job was started.
    pub start_unknown: usize,
    /// Exports whose job gave no archive.
    pub failed_at_tulip: usize,
    /// Exports whose archive could not be stored.
    pub failed_to_store: usize,
    /// Bytes of the objects whose receipts the run has seen.
    pub bytes: u64,
    /// Records in those objects.
    pub records: u64,
}

impl Counts {
    /// Adds this many exports with this outcome.
    pub fn add(&mut self, outcome: ItemOutcome, exports: usize) {
        *match outcome {
            ItemOutcome::Stored => &mut self.stored,
            ItemOutcome::Unchanged => &mut self.unchanged,
            ItemOutcome::NotStarted => &mut self.not_started,
            ItemOutcome::StartUnknown => &mut self.start_unknown,
            ItemOutcome::FailedAtTulip => &mut self.failed_at_tulip,
            ItemOutcome::FailedToStore => &mut self.failed_to_store,
        } += exports;
    }

    /// Returns the total number of exports.
    #[must_use]
    pub fn exports(&self) -> usize {
        let failed = self.start_unknown + self.failed_at_tulip + self.failed_to_store;
        self.stored + self.unchanged + self.not_started + failed
    }
}
