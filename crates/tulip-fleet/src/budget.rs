//! What a run may ask of Tulip, and how much of it at once.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tulip_archive::{Admission, Permit, Turn};

use crate::store_gate::Waiter;

/// The time that the rate of starts is counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// The budget that all exports of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    starts: Option<Arc<StartRate>>,
    downloads: Arc<Semaphore>,
    store: Waiter,
}

/// At most so many starts in any minute.
#[derive(Debug)]
struct StartRate {
    per_minute: NonZeroUsize,
    /// When the last starts were, or will be: as many as a minute may have, the earliest first.
    last: Mutex<VecDeque<Instant>>,
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
        let rate = |per_minute: NonZeroUsize| StartRate {
            per_minute,
            last: Mutex::default(),
        };
        Self {
            starts: starts_per_minute.map(rate).map(Arc::new),
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

impl StartRate {
    /// When the next start may be sent; it is counted as sent then.
    fn take(&self, now: Instant) -> Instant {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match last.len() < self.per_minute.get() {
            true => now,
            false => last.pop_front().map_or(now, |earliest| earliest + WINDOW),
        };
        let due = due.max(now);
        last.push_back(due);
        due
    }
}

impl Admission for Turns {
    fn start(&self) -> Turn<'_, ()> {
        Box::pin(async {
            if let Some(rate) = &self.budget.starts {
                sleep_until(rate.take(Instant::now())).await;
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
    use proptest::prelude::*;

    use super::*;
    use crate::store_gate::StoreGate;

    fn rate(per_minute: usize) -> StartRate {
        StartRate {
            per_minute: NonZeroUsize::new(per_minute).unwrap(),
            last: Mutex::default(),
        }
    }

    #[test]
    fn a_minutes_worth_of_starts_goes_at_once_and_the_next_waits_for_the_minute() {
        let (rate, now) = (rate(3), Instant::now());
        let due = || rate.take(now).duration_since(now).as_secs();
        assert_eq!([due(), due(), due()], [0, 0, 0]);
        assert_eq!([due(), due(), due(), due()], [60, 60, 60, 120]);
        assert_eq!(rate.last.lock().unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_starts_than_allowed(
            per_minute in 1_usize..5,
            pauses in proptest::collection::vec(0_u64..40, 1..40),
        ) {
            let rate = rate(per_minute);
            let mut now = Instant::now();
            let mut due = Vec::new();
            for pause in pauses {
                now += Duration::from_secs(pause);
                due.push(rate.take(now));
            }
            prop_assert!(due.is_sorted());
            for window in due.windows(per_minute + 1) {
                prop_assert!(window[per_minute] - window[0] >= WINDOW);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_complete_job_is_no_longer_pending_while_it_waits_to_be_downloaded() {
        let gate = StoreGate::new();
        let budget = Budget::new(None, 1, gate.waiter());
        let pending = Arc::new(Semaphore::new(2));
        let turns = || budget.turns(pending.clone().try_acquire_owned().unwrap());
        let (first, second) = (turns(), turns());
        assert_eq!(pending.available_permits(), 0);
        drop(first.download().await);
        let waiting = tokio::time::timeout(WINDOW, second.download()).await;
        assert!(waiting.is_err());
        assert_eq!(pending.available_permits(), 2);
        drop(first);
        second.download().await;
    }
}
