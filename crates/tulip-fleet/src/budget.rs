//! What a run may ask of Tulip, and how much of it at once.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tulip_archive::{Admission, Permit, Turn};

use crate::start_rate::StartRate;
use crate::store_gate::Waiter;

/// The budget that all exports of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    starts: Option<Arc<StartRate>>,
    downloads: Arc<Semaphore>,
    store: Waiter,
}

/// The turns of one export.
#[derive(Debug)]
struct Turns {
    budget: Budget,
    /// The right to have a job pending at Tulip, until the job is complete.
    pending: Mutex<Option<OwnedSemaphorePermit>>,
    /// The right to download, until the run knows how that has ended: where the store is down no
    /// other export should find out by itself.
    downloading: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Budget {
    pub(crate) fn new(
        starts_per_minute: Option<NonZeroUsize>,
        downloads: usize,
        store: Waiter,
    ) -> Self {
        Self {
            starts: starts_per_minute.map(StartRate::new).map(Arc::new),
            downloads: Arc::new(Semaphore::new(downloads.min(Semaphore::MAX_PERMITS))),
            store,
        }
    }

    /// The turns of an export that may have a job pending.
    pub(crate) fn turns(&self, pending: OwnedSemaphorePermit) -> Arc<dyn Admission> {
        Arc::new(Turns {
            budget: self.clone(),
            pending: Mutex::new(Some(pending)),
            downloading: Mutex::default(),
        })
    }
}

impl Admission for Turns {
    fn start(&self) -> Turn<'_, Permit> {
        Box::pin(async {
            match &self.budget.starts {
                Some(rate) => Box::new(rate.clone().turn().await) as Permit,
                None => Box::new(()),
            }
        })
    }

    fn download(&self) -> Turn<'_, Permit> {
        Box::pin(async {
            let pending = self.pending.lock();
            drop(pending.unwrap_or_else(PoisonError::into_inner).take());
            loop {
                self.budget.store.pass().await;
                let permit = self.budget.downloads.clone().acquire_owned().await;
                // The store may have gone down while the export waited for its turn.
                if self.budget.store.is_open() {
                    // Nothing closes the semaphore; without a permit the export would just not be
                    // counted.
                    let held = self.downloading.lock();
                    *held.unwrap_or_else(PoisonError::into_inner) = permit.ok();
                    return Box::new(()) as Permit;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store_gate::StoreGate;

    #[tokio::test(start_paused = true)]
    async fn a_complete_job_is_no_longer_pending_while_it_waits_to_be_downloaded() {
        let gate = StoreGate::new();
        let budget = Budget::new(None, 1, gate.waiter());
        let pending = Arc::new(Semaphore::new(2));
        let turns = || budget.turns(pending.clone().try_acquire_owned().unwrap());
        let (first, second) = (turns(), turns());
        assert_eq!(pending.available_permits(), 0);
        drop(first.download().await);
        let waiting = tokio::time::timeout(Duration::from_secs(60), second.download()).await;
        assert!(waiting.is_err());
        assert_eq!(pending.available_permits(), 2);
        drop(first);
        second.download().await;
    }
}
