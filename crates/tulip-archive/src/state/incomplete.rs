//! The incomplete exports that a store remembers.

use std::sync::Arc;

use tulip_core::sink::{Sink, SinkError, SinkErrorKind, SinkUrl, SinkUrlError};
use tulip_core::{JobId, ObjectKey, Timestamp};

use super::StateError;
use super::claimed::{ClaimedRecord, RecordOutcome};
use super::record::{ExportSettings, Identity, Record, Start};
use super::store::{StateStore, StoredRecord};
use crate::Source;

/// Why an incomplete export was not given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardError {
    /// What it has left in its sink stays.
    #[error("could not remove what the export has staged")]
    Sink(#[from] SinkError),
    /// It cannot be forgotten.
    #[error("could not remove the record of the export")]
    State(#[from] StateError),
}

/// An export that an earlier run has not finished, or that a process works on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IncompleteExport {
    /// Whether a process is at it now.
    pub running: bool,
    record: Record,
}

impl IncompleteExport {
    /// The incomplete exports that `store` remembers, the oldest first. A record that is not
    /// understood is left out.
    ///
    /// # Errors
    /// [`StateError`] when the records cannot be read.
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

    /// Gives the export up: removes what it has left in `sink`, which must be the one that it wrote
    /// to, then forgets it. Tells whether it did: not where a process is at it. A job that was
    /// started continues at Tulip.
    ///
    /// # Errors
    /// [`DiscardError`] when something stays. The export stays incomplete then.
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

    /// Forgets the export, whatever it has left in its sink: see
    /// [`IncompleteExport::has_left_something`]. Tells whether it did: not where a process is at
    /// it.
    ///
    /// # Errors
    /// [`StateError`] when its record cannot be removed.
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

    /// What is exported.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.record.source()
    }

    /// The job, once it is known.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        self.record.job()
    }

    /// Whether Tulip was asked for an archive and the answer was lost: it may have been started.
    #[must_use]
    pub fn is_start_unknown(&self) -> bool {
        matches!(self.record.start, Start::Asked { .. })
    }

    /// When the first run began.
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

    /// Where the archive goes, without options that could be secrets.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.record.identity.target
    }

    /// The same as a URL, where the sink was made of one.
    ///
    /// # Errors
    /// [`SinkUrlError`] when it no longer is one.
    pub fn target_url(&self) -> Result<Option<SinkUrl>, SinkUrlError> {
        let url = self.record.settings.url.as_deref();
        url.map(SinkUrl::parse).transpose()
    }

    /// The object, once it was opened.
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

    /// Bytes of it that need not be downloaded again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let kept = self
            .record
            .object
            .as_ref()
            .and_then(|object| object.part.as_ref());
        kept.map_or(0, |part| part.bytes)
    }

    pub(crate) fn settings(&self) -> &ExportSettings {
        &self.record.settings
    }
}
