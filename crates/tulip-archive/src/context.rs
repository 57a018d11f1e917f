//! The state that all stages of an export share.

use std::sync::Arc;

use tulip_core::sink::Metadata;
use tulip_core::{JobId, ObjectKey, Timestamp};

use crate::admission::{Admission, Permit};
use crate::setup::Setup;
use crate::{Event, Outcome, Source};

/// The state that the stages of one export share.
pub(crate) struct Context {
    pub(crate) setup: Arc<Setup>,
    pub(crate) source: Source,
    /// The job that an earlier attempt has started, if any.
    pub(crate) job: Option<JobId>,
    /// The time for the fields of the key template; `None` for that at which the export begins.
    pub(crate) dated: Option<Timestamp>,
    pub(crate) observer: Box<dyn FnMut(Event<'_>) + Send>,
    /// `None` if the export shares no budget.
    pub(crate) admission: Option<Arc<dyn Admission>>,
}

impl Context {
    pub(crate) fn emit(&mut self, event: Event<'_>) {
        (self.observer)(event);
    }

    /// Waits for the turn to send a start.
    pub(crate) async fn turn_to_start(&mut self) -> Option<Permit> {
        match &self.admission {
            Some(admission) => Some(admission.start().await),
            None => None,
        }
    }

    /// Waits for the turn to download.
    pub(crate) async fn turn_to_download(&mut self) -> Option<Permit> {
        match &self.admission {
            Some(admission) => Some(admission.download().await),
            None => None,
        }
    }

    /// Returns the metadata of the object and its receipt, for stores that keep it.
    pub(crate) fn metadata(&self, job: &JobId) -> Metadata {
        let mut metadata = Metadata::from([("tulip-job".to_owned(), job.to_string())]);
        if let Some(machine) = self.source.known_machine() {
            metadata.insert("tulip-machine".to_owned(), machine.to_string());
        }
        metadata
    }

    /// Returns the outcome if an object exists and is kept.
    pub(crate) async fn skipped(&mut self, key: &ObjectKey) -> Outcome {
        let sink = &self.setup.sink;
        let receipt = sink.lookup(&key.receipt()).await;
        let outcome = Outcome::Skipped {
            has_receipt: matches!(receipt, Ok(Some(_))),
            location: sink.location(key),
            key: key.clone(),
        };
        self.emit(Event::Skipped { key });
        outcome
    }
}
