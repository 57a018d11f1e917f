//! The budget of a run: its starts, its pending jobs and its downloads.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tulip_archive::{Admission, Permit, Turn};

use crate::limits::Limits;
use crate::start_rate::StartRate;
use crate::store_gate::Waiter;

/// The budget that all exports of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    starts: Option<Arc<StartRate>>,
    /// Exports that may be under way. A deferred archive gives its place to another export.
    places: Arc<Semaphore>,
    /// Jobs that may be pending at Tulip.
    pending: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    /// Downloads of large archives.
    large: Arc<Semaphore>,
    large_from: u64,
    store: Waiter,
}

/// The turns of one export.
#[derive(Debug)]
pub(crate) struct Turns {
    budget: Budget,
    held: Mutex<Held>,
}

/// The permits that an export holds. Dropping one returns it.
#[derive(Debug, Default)]
struct Held {
    place: Option<OwnedSemaphorePermit>,
    /// Held until the job is complete.
    pending: Option<OwnedSemaphorePermit>,
    /// The permit to download, held until the run knows how the download ended: if the store is
    /// down, no other export should have to find out by itself.
    download: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits, store: Waiter) -> Self {
        let of = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            starts: limits.start_rate.map(StartRate::new).map(Arc::new),
            // Besides the exports with a pending job, as many as may download at the same time can
            // be waiting to download or downloading.
            places: of(limits.max_pending.saturating_add(limits.concurrency)),
            pending: of(limits.max_pending),
            downloads: of(limits.concurrency),
            large: of((limits.concurrency / 2).max(1)),
            large_from: limits.large_from,
            store,
        }
    }

    /// Waits until one more export may be under way, and have a job pending.
    pub(crate) async fn turns(self) -> Arc<Turns> {
        let held = Held {
            place: Some(acquired(&self.places).await),
            pending: Some(acquired(&self.pending).await),
            ..Held::default()
        };
        let (budget, held) = (self, Mutex::new(held));
        Arc::new(Turns { budget, held })
    }
}

impl Turns {
    fn hold(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn download(&self) {
        loop {
            self.budget.store.pass().await;
            let permit = acquired(&self.budget.downloads).await;
            // The store may have gone down while the export waited for its turn.
            if self.budget.store.is_open() {
                return self.hold(|held| held.download = Some(permit));
            }
        }
    }
}

impl Admission for Turns {
    fn start(&self) -> Turn<'_, Permit> {
        Box::pin(async {
            let permit = match &self.budget.starts {
                Some(rate) => Box::new(rate.clone().turn().await) as Permit,
                None => Box::new(()),
            };
            // The store may have gone down while the export waited for its turn.
            self.budget.store.pass().await;
            permit
        })
    }

    fn download(&self) -> Turn<'_, Permit> {
        Box::pin(async {
            self.hold(|held| held.pending = None);
            self.download().await;
            Box::new(()) as Permit
        })
    }

    fn transfer(&self, length: Option<u64>) -> Turn<'_, Permit> {
        Box::pin(async move {
            if length.is_some_and(|length| length >= self.budget.large_from) {
                let large = self.budget.large.clone();
                if let Ok(permit) = large.clone().try_acquire_owned() {
                    self.hold(|held| held.large = Some(permit));
                } else {
                    self.hold(|held| (held.download, held.place) = (None, None));
                    let permit = acquired(&large).await;
                    self.hold(|held| held.large = Some(permit));
                    self.download().await;
                }
            }
            Box::new(()) as Permit
        })
    }
}

async fn acquired(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.clone().acquire_owned().await {
        Ok(permit) => permit,
        // The semaphore is never closed.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::sync::watch;

    use super::*;
    use crate::store_gate::StoreGate;

    const LARGE: Option<u64> = Some(100);

    fn budget(gate: &StoreGate, max_pending: usize, concurrency: usize) -> Budget {
        let limits = Limits {
            max_pending,
            concurrency,
            large_from: 100,
            ..Limits::default()
        };
        Budget::new(&limits, gate.waiter())
    }

    async fn is_waiting(turn: Turn<'_, Permit>) -> bool {
        tokio::time::timeout(Duration::from_secs(60), turn)
            .await
            .is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_complete_job_is_no_longer_pending_while_it_waits_to_be_downloaded() {
        let gate = StoreGate::new();
        let budget = budget(&gate, 2, 1);
        let (first, second) = (budget.clone().turns().await, budget.clone().turns().await);
        assert_eq!(budget.pending.available_permits(), 0);
        drop(Admission::download(&*first).await);
        assert!(is_waiting(Admission::download(&*second)).await);
        assert_eq!(budget.pending.available_permits(), 2);
        drop(first);
        Admission::download(&*second).await;
    }

    #[tokio::test(start_paused = true)]
    async fn large_archives_take_half_of_the_downloads_and_the_others_wait_beside_them() {
        let gate = StoreGate::new();
        let budget = budget(&gate, 1, 4);
        let mut large = Vec::new();
        for _ in 0..2 {
            let turns = budget.clone().turns().await;
            Admission::download(&*turns).await;
            assert!(turns.transfer(LARGE).now_or_never().is_some());
            large.push(turns);
        }
        let third = budget.clone().turns().await;
        Admission::download(&*third).await;
        let mut deferred = third.transfer(LARGE);
        assert!((&mut deferred).now_or_never().is_none());
        // The deferred export neither downloads nor keeps others from being started.
        assert_eq!(budget.downloads.available_permits(), 2);
        assert_eq!(budget.places.available_permits(), 3);
        for length in [Some(99), None] {
            let small = budget.clone().turns().await;
            Admission::download(&*small).await;
            assert!(small.transfer(length).now_or_never().is_some());
        }
        large.pop();
        deferred.await;
        assert_eq!(budget.downloads.available_permits(), 2);
        drop((large, third));
        assert_eq!(budget.large.available_permits(), 2);
        assert_eq!(budget.places.available_permits(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn no_job_is_started_while_the_store_is_down() {
        let open = watch::Sender::new(false);
        let budget = Budget::new(&Limits::default(), Waiter::new(open.subscribe()));
        let turns = budget.turns().await;
        assert!(is_waiting(turns.start()).await);
        open.send_replace(true);
        drop(turns.start().await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_download_at_a_time_may_be_large() {
        let gate = StoreGate::new();
        let turns = budget(&gate, 1, 1).turns().await;
        Admission::download(&*turns).await;
        assert!(turns.transfer(LARGE).now_or_never().is_some());
    }
}
