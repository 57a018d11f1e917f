//! The progress from earlier runs of the same export, and its record for the next run.

mod lookup;
mod object;
mod receipt;
mod start;

use tokio::time::Instant;
use tulip_core::sink::Sink;
use tulip_core::{JobId, Timestamp};

use crate::state::{ClaimedRecord, StartState, StateError, Unremembered};
use crate::{ExportError, ExportErrorKind, Outcome};

pub(crate) use object::ResumedObject;

/// The persistent progress of one export. Only this code uses the state store.
///
/// Without a usable store, every method does nothing and nothing is found. A failed save does not
/// fail the export, with one exception: once another process has taken over the export, every
/// method that saves fails as [`Fenced`](ExportErrorKind::Fenced), and nothing that the other
/// process may use is removed.
pub(crate) struct Recovery {
    claimed: Option<ClaimedRecord>,
    /// The time at which the export began, in this run or the resumed one.
    began: Timestamp,
    /// The time for the fields of the key template.
    dated: Timestamp,
    /// The job, once it is known.
    job: Option<JobId>,
    /// Whether an earlier run has left a job to resume.
    is_resumed: bool,
    /// Whether another process has taken the export over.
    is_fenced: bool,
    /// Whether the sink can keep a part of an object for another run.
    sink_resumes: bool,
    last_checkpoint: Option<Instant>,
    unremembered: Unremembered,
}

impl Recovery {
    /// The job, once it is known.
    pub(crate) fn job(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// The time at which the export began, in this run or the resumed one.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// The time for the fields of the key template.
    pub(crate) fn dated(&self) -> Timestamp {
        self.dated
    }

    /// Whether an earlier run has left a job to resume.
    pub(crate) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Checks that no other process has taken over the export, before an irreversible step.
    pub(crate) async fn confirm(&mut self) -> Result<(), ExportError> {
        if self.is_fenced {
            return Err(fenced());
        }
        let Some(claimed) = &mut self.claimed else {
            return Ok(());
        };
        let was_saved = claimed.is_saved;
        let confirmed = claimed.confirm().await;
        self.written(confirmed, was_saved).map(drop)
    }

    /// Removes the export's record, or leaves it for the next run.
    pub(crate) async fn close(&mut self, sink: &dyn Sink, result: &Result<Outcome, ExportError>) {
        let Some(claimed) = &self.claimed else {
            return;
        };
        if let Err(error) = result
            && is_incomplete(claimed, error)
        {
            self.claimed = None;
            return;
        }
        if self.discard_stale(sink).await.is_err() {
            return;
        }
        if let Some(claimed) = self.claimed.take()
            && let Err(error) = claimed.remove().await
        {
            self.unremembered.tell(&error);
        }
    }

    /// Saves the record. Returns whether that succeeded.
    async fn save(&mut self, durable: bool) -> Result<bool, ExportError> {
        if self.is_fenced {
            return Err(fenced());
        }
        let Some(claimed) = &mut self.claimed else {
            return Ok(false);
        };
        let was_saved = claimed.is_saved;
        let saved = claimed.save(durable).await;
        self.written(saved, was_saved)
    }

    /// Handles the result of a write. Returns whether it succeeded.
    fn written(
        &mut self,
        done: Result<(), StateError>,
        was_saved: bool,
    ) -> Result<bool, ExportError> {
        match done {
            Ok(()) => Ok(true),
            Err(error) if error.is_fenced() => {
                self.is_fenced = true;
                self.claimed = None;
                Err(fenced())
            }
            Err(error) => {
                if was_saved {
                    self.unremembered.tell(&error);
                }
                Ok(false)
            }
        }
    }
}

/// Whether another run can use the progress of this one.
fn is_incomplete(claimed: &ClaimedRecord, error: &ExportError) -> bool {
    let archive_is_bad = matches!(
        error.kind(),
        ExportErrorKind::IncompleteArchive
            | ExportErrorKind::NotAnArchive
            | ExportErrorKind::JobFailed
            | ExportErrorKind::NotFound
    );
    let record = &claimed.record;
    let has_started = match &record.start {
        StartState::None => false,
        StartState::Asked { .. } => return true,
        StartState::Known { .. } => record.identity.job.is_none() || record.has_left_something(),
    };
    // An export that another process has taken over is not ours to retry.
    let can_retry = error.is_retryable() && error.kind() != ExportErrorKind::Fenced;
    !archive_is_bad && (has_started || can_retry)
}

fn fenced() -> ExportError {
    let what = "another process has taken over this export";
    ExportError::new(ExportErrorKind::Fenced, what)
}
