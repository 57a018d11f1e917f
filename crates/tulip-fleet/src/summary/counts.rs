//! How many exports of a run have ended in each way.

use serde::{Deserialize, Serialize};

use crate::ItemOutcome;

/// How many exports of a run have ended in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Stored by this run.
    pub stored: usize,
    /// At the target before.
    pub unchanged: usize,
    /// Without a job.
    pub not_started: usize,
    /// It is not known whether a job was started.
    pub start_unknown: usize,
    /// The job gave no archive.
    pub failed_at_tulip: usize,
    /// The archive is not stored.
    pub failed_to_store: usize,
    /// Bytes of the objects whose receipts the run has seen.
    pub bytes: u64,
    /// Records in these objects.
    pub records: u64,
}

impl Counts {
    /// Counts this many exports with this outcome.
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

    /// How many exports there are.
    #[must_use]
    pub fn exports(&self) -> usize {
        let failed = self.start_unknown + self.failed_at_tulip + self.failed_to_store;
        self.stored + self.unchanged + self.not_started + failed
    }
}
