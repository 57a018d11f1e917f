//! The incomplete exports in a store.

use std::sync::Arc;

use tulip_core::sink::{Sink, SinkError, SinkErrorKind, SinkUrl, SinkUrlError};
use tulip_core::{JobId, ObjectKey, Timestamp};

use super::StateError;
use super::claimed::{ClaimedRecord, RecordOutcome};
use super::record::{Identity, Record, RecordedSettings, StartState};
use super::store::{StateStore, StoredRecord};
use crate::Source;

/// Why an incomplete export was not discarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardError {
    /// Its staged data could not be removed from the sink.
    #[error("could not remove what the export has staged")]
    Sink(#[from] SinkError),
    /// Its record could not be removed.
    #[error("could not remove the record of the export")]
    State(#[from] StateError),
}

/// An export that an earlier run has not finished, or that a process is working on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IncompleteExport {
    /// Whether a process is working on it now.
    pub running: bool,
    record: Record,
}

impl IncompleteExport {
    /// Returns the incomplete exports in `store`, the oldest first. Unreadable records are skipped
    /// with a warning.
    ///
    /// # Errors
    /// [`StateError`] if the records cannot be read.
    pub async fn list(store: &dyn StateStore) -> Result<Vec<Self>, StateError> {
        let mut found = Vec::new();
        for StoredRecord {
            id,
            record,
            is_claimed,
        } in store.list().await?
        {
            match Record::parse(&id, &record) {
                Ok(record) => found.push((
                    id,
                    Self {
                        running: is_claimed,
                        record,
                    },
                )),
                Err(error) => tracing::warn!(%error, "skipping a record: {error}"),
            }
        }
        found.sort_by(|(a, one), (b, other)| (one.record.began, a).cmp(&(other.record.began, b)));
        Ok(found
            .into_iter()
            .map(|(_, incomplete)| incomplete)
            .collect())
    }

    /// Discards the export: removes its staged data from `sink`, which must be the sink that it
    /// wrote to, then its record. Returns whether it did, `false` if a process is working on the
    /// export. A job that was started continues at Tulip.
    ///
    /// # Errors
    /// [`DiscardError`] if something could not be removed. The export then stays incomplete.
    ///
    /// # Cancellation
    /// If the future is dropped, the export may stay incomplete, with a part of its staged data
    /// removed. Discard it again.
    pub async fn discard(
        &self,
        store: Arc<dyn StateStore>,
        sink: &dyn Sink,
    ) -> Result<bool, DiscardError> {
        let claimed = match self.claim(store).await? {
            RecordOutcome::Claimed(claimed) => claimed,
            RecordOutcome::Busy(_) => return Ok(false),
            RecordOutcome::Missing => return Ok(true),
        };
        for staged in claimed.record.staged() {
            match sink.discard(&staged.key, &staged.left).await {
                Err(error) if error.kind() != SinkErrorKind::Unsupported => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        claimed.remove().await?;
        Ok(true)
    }

    /// Removes the export's record, but not its staged data in the sink: see
    /// [`IncompleteExport::has_left_something`]. Returns whether it did, `false` if a process is
    /// working on the export.
    ///
    /// # Errors
    /// [`StateError`] if the record cannot be removed.
    ///
    /// # Cancellation
    /// If the future is dropped, the record is removed or unchanged.
    pub async fn forget(&self, store: Arc<dyn StateStore>) -> Result<bool, StateError> {
        match self.claim(store).await? {
            RecordOutcome::Claimed(claimed) => claimed.remove().await.map(|()| true),
            RecordOutcome::Busy(_) => Ok(false),
            RecordOutcome::Missing => Ok(true),
        }
    }

    async fn claim(&self, store: Arc<dyn StateStore>) -> Result<RecordOutcome, StateError> {
        let Record {
            identity, settings, ..
        } = self.record.clone();
        ClaimedRecord::open(store, identity, settings).await
    }

    /// The source of the export, if the record names one.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.record.source()
    }

    /// The job, once it is known.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        self.record.job()
    }

    /// Whether a request to start an archive was sent and its answer lost: the archive may have
    /// been started.
    #[must_use]
    pub fn is_start_unknown(&self) -> bool {
        matches!(self.record.start, StartState::Asked { .. })
    }

    /// The time at which the export began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.record.began
    }

    /// The base URL of the instance.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.record.identity.instance
    }

    /// The workspace, for an account token.
    #[must_use]
    pub fn workspace(&self) -> Option<&str> {
        self.record.identity.workspace.as_deref()
    }

    /// The target, without options that could be secret.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.record.identity.target
    }

    /// The target's URL, if the sink was made from one.
    ///
    /// # Errors
    /// [`SinkUrlError`] if it is no longer a valid URL.
    pub fn target_url(&self) -> Result<Option<SinkUrl>, SinkUrlError> {
        let url = self.record.settings.url.as_deref();
        url.map(SinkUrl::parse).transpose()
    }

    /// The object's key, once it was opened.
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        self.record.object.as_ref().map(|object| &object.key)
    }

    /// Whether something may be left in the sink, for [`IncompleteExport::discard`] to remove.
    #[must_use]
    pub fn has_left_something(&self) -> bool {
        self.record.has_left_something()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.record.identity
    }

    /// The number of bytes that need not be downloaded again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let kept = self
            .record
            .object
            .as_ref()
            .and_then(|object| object.part.as_ref());
        kept.map_or(0, |part| part.bytes)
    }

    pub(crate) fn settings(&self) -> &RecordedSettings {
        &self.record.settings
    }
}
