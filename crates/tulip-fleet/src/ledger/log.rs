//! The log that a run keeps in its ledger.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::info;
use tulip_archive::state::{Claim, StateError};

use super::contract::Ledger;
use crate::{ItemSummary, RunEnd};

/// A run in a ledger that this process has claimed. Dropping it leaves the run for another process
/// to continue.
pub struct RunLog {
    ledger: Arc<dyn Ledger>,
    claim: Claim,
    has_failed: AtomicBool,
}

impl RunLog {
    /// Creates the log of a run that this process has claimed.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, claim: Claim) -> Self {
        Self {
            ledger,
            claim,
            has_failed: AtomicBool::new(false),
        }
    }

    /// Records how the run ended, once all its exports have ended.
    ///
    /// # Errors
    /// [`StateError`] of [`Ledger::end`].
    pub async fn end(&self, end: RunEnd, reason: Option<String>) -> Result<(), StateError> {
        self.ledger.end(&self.claim, end, reason).await
    }

    /// Whether something could not be recorded, so that a later run may do it again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Whether this process still holds the claim of the run.
    pub(crate) async fn is_ours(&self) -> bool {
        // An unreadable ledger ends no export.
        let checked = self.ledger.check(&self.claim).await;
        !checked.is_err_and(|error| error.is_fenced())
    }

    /// Records the state of an export, and returns whether this process still holds the claim of
    /// the run. A failed write ends no export.
    pub(crate) async fn record(&self, item: ItemSummary) -> bool {
        match self.ledger.record(&self.claim, item).await {
            Ok(()) => true,
            Err(error) if error.is_fenced() => false,
            Err(error) => {
                self.has_failed.store(true, Ordering::Relaxed);
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                info!(%error, cause, "the run is not recorded: {error}: {cause}");
                true
            }
        }
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        self.ledger.release(self.claim.clone());
    }
}

impl fmt::Debug for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunLog").field(&self.claim).finish()
    }
}
