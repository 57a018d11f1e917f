//! The start of the job, recorded before it is sent.

use tulip_core::{JobId, Timestamp};

use super::Recovery;
use crate::ExportError;
use crate::state::StartState;

impl Recovery {
    /// Records durably that a start is about to be sent. If this run ends now, the next must not
    /// send another.
    pub(crate) async fn start_requested(&mut self) -> Result<(), ExportError> {
        let at = Timestamp::now();
        self.set_start(StartState::Asked { at }).await
    }

    /// Records that the start certainly had no effect.
    pub(crate) async fn start_refused(&mut self) -> Result<(), ExportError> {
        self.set_start(StartState::None).await
    }

    /// Records the job that the start's answer names.
    pub(crate) async fn start_answered(&mut self, job: JobId) -> Result<(), ExportError> {
        self.job = Some(job.clone());
        self.set_start(StartState::Known { job }).await
    }

    /// Forgets a job that Tulip no longer knows, so that another is started. The time for the key
    /// stays.
    pub(crate) async fn job_is_gone(&mut self) -> Result<(), ExportError> {
        (self.job, self.is_resumed, self.began) = (None, false, Timestamp::now());
        if let Some(claimed) = &mut self.claimed {
            claimed.record.restart(self.began, Some(self.dated));
        }
        self.save(true).await.map(drop)
    }

    async fn set_start(&mut self, start: StartState) -> Result<(), ExportError> {
        if let Some(claimed) = &mut self.claimed {
            claimed.record.start = start;
        }
        self.save(true).await.map(drop)
    }
}
