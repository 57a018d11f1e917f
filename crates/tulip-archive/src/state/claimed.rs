//! The record of an export that this process has claimed.

use std::sync::Arc;

use tulip_core::Timestamp;

use super::record::{Identity, Record, RecordedSettings};
use super::store::{Claim, ClaimOutcome, Holder, StateStore};
use super::{StateError, StateErrorKind};

/// A record and its claim, which is released on drop.
#[derive(Debug)]
pub(crate) struct ClaimedRecord {
    store: Arc<dyn StateStore>,
    /// `None` once the record is removed.
    claim: Option<Claim>,
    pub(crate) record: Box<Record>,
    /// Whether an earlier run has left it.
    pub(crate) is_old: bool,
    /// Whether the store has the current record.
    pub(crate) is_saved: bool,
    /// Whether there are changes to save with the next [`ClaimedRecord::confirm`].
    pub(crate) is_changed: bool,
}

/// The result of claiming the record of an export.
pub(crate) enum RecordOutcome {
    /// The record is claimed until this is dropped.
    Claimed(ClaimedRecord),
    /// Another run holds the claim.
    Busy(Option<Holder>),
    /// The export is not, or no longer, incomplete.
    Missing,
}

impl ClaimedRecord {
    /// Claims the record of an export, or stores and claims a new one that begins at `began` and
    /// has the given time in its key.
    pub(crate) fn open_or_create(
        store: Arc<dyn StateStore>,
        identity: Identity,
        settings: RecordedSettings,
        began: Timestamp,
        dated: Option<Timestamp>,
    ) -> impl Future<Output = Result<RecordOutcome, StateError>> {
        // Boxed to keep the record out of the future: thousands of exports can wait here at the
        // same time.
        let mut record = Box::new(Record::new(identity, settings, began));
        record.dated = dated;
        Self::claim(store, record, true)
    }

    /// Claims the record of an export, if there is one.
    pub(crate) fn open(
        store: Arc<dyn StateStore>,
        identity: Identity,
        settings: RecordedSettings,
    ) -> impl Future<Output = Result<RecordOutcome, StateError>> {
        let record = Box::new(Record::new(identity, settings, Timestamp::now()));
        Self::claim(store, record, false)
    }

    async fn claim(
        store: Arc<dyn StateStore>,
        new: Box<Record>,
        creates: bool,
    ) -> Result<RecordOutcome, StateError> {
        let id = new.identity.id();
        let text = creates.then(|| text_of(&new)).transpose()?;
        let (claim, found) = match store.claim(&id, text).await? {
            ClaimOutcome::Found { claim, record } => (claim, Some(record)),
            ClaimOutcome::Created(claim) => (claim, None),
            ClaimOutcome::Busy(holder) => return Ok(RecordOutcome::Busy(holder)),
            ClaimOutcome::Missing => return Ok(RecordOutcome::Missing),
        };
        let mut claimed = Self {
            store,
            claim: Some(claim),
            is_old: false,
            is_saved: true,
            is_changed: false,
            record: new,
        };
        let Some(found) = found else {
            return Ok(RecordOutcome::Claimed(claimed));
        };
        match Record::parse(&id, &found) {
            Ok(old) => {
                let settings = claimed.record.settings.clone();
                *claimed.record = Record { settings, ..old };
                claimed.is_old = true;
            }
            // Keep it for software that can read it.
            Err(error) if error.kind() == StateErrorKind::NewerVersion => return Err(error),
            Err(_) if !creates => return Ok(RecordOutcome::Missing),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                tracing::warn!(%error, cause, "replacing the record: {error}: {cause}");
                claimed.save(false).await?;
            }
        }
        Ok(RecordOutcome::Claimed(claimed))
    }

    /// Checks that no other process has taken over the record, and saves unsaved changes.
    pub(crate) async fn confirm(&mut self) -> Result<(), StateError> {
        match &self.claim {
            Some(claim) if self.is_saved && !self.is_changed => self.store.check(claim).await,
            _ => self.save(false).await,
        }
    }

    /// Saves the record. `durable` is for data that must survive even a power loss.
    ///
    /// # Cancellation
    /// The record is saved even if this future is dropped: see [`StateStore`].
    pub(crate) async fn save(&mut self, durable: bool) -> Result<(), StateError> {
        self.is_saved = false;
        let claim = self.claim.as_ref().ok_or_else(StateError::fenced)?;
        let text = text_of(&self.record)?;
        self.store.save(claim, text, durable).await?;
        (self.is_saved, self.is_changed) = (true, false);
        Ok(())
    }

    /// Removes the record.
    pub(crate) async fn remove(mut self) -> Result<(), StateError> {
        if let Some(claim) = &self.claim {
            self.store.remove(claim).await?;
        }
        self.claim = None;
        Ok(())
    }
}

impl Drop for ClaimedRecord {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.store.release(claim);
        }
    }
}

fn text_of(record: &Record) -> Result<String, StateError> {
    serde_json::to_string(record).map_err(|error| {
        StateError::with_source(StateErrorKind::Other, "cannot write the record", error)
    })
}
