//! The start of the job, on record before it is sent.

use tulip_core::{JobId, Timestamp};

use super::Recovery;
use crate::ExportError;
use crate::state::Start;

impl Recovery {
    /// A start is about to be sent. This is durable before it is: a run that ends here must not be
    /// followed by another start.
    pub(crate) async fn start_requested(&mut self) -> Result<(), ExportError> {
        let at = Timestamp::now();
        self.set_start(Start::Asked { at }).await
    }

    /// The start was certainly not carried out.
    pub(crate) async fn start_refused(&mut self) -> Result<(), ExportError> {
        self.set_start(Start::None).await
    }

    /// The start's answer names the job.
    pub(crate) async fn start_answered(&mut self, job: JobId) -> Result<(), ExportError> {
        self.job = Some(job.clone());
        self.set_start(Start::Known { job }).await
    }

    async fn set_start(&mut self, start: Start) -> Result<(), ExportError> {
        if let Some(claimed) = &mut self.claimed {
            claimed.record.start = start;
        }
        self.save(true).await.map(drop)
    }
}
