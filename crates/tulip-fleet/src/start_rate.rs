//! A limit for the starts sent in any minute.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The period over which starts are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Limits the starts in any minute.
///
/// A start counts from its turn until a minute after it was answered. It reaches Tulip at some time
/// in between, which is much later than its turn if a 429 holds back all calls. So no minute by
/// Tulip's clock has too many starts either, however long they were held back or under way.
#[derive(Debug)]
pub(crate) struct StartRate {
    counted: Mutex<Counted>,
    /// Held by the first waiter, so that turns come in the order in which they were requested.
    queue: tokio::sync::Mutex<()>,
    answered: Notify,
}

/// The starts that count at the moment.
#[derive(Debug)]
struct Counted {
    per_minute: NonZeroUsize,
    /// The starts that were not answered yet.
    under_way: usize,
    /// When the others were answered, earliest first.
    answered: VecDeque<Instant>,
}

/// The permit to send one start, which is dropped once the start is answered.
#[derive(Debug)]
pub(crate) struct StartTurn(Arc<StartRate>);

impl StartRate {
    pub(crate) fn new(per_minute: NonZeroUsize) -> Self {
        Self {
            counted: Mutex::new(Counted {
                per_minute,
                under_way: 0,
                answered: VecDeque::new(),
            }),
            queue: tokio::sync::Mutex::default(),
            answered: Notify::new(),
        }
    }

    /// Waits until one start may be sent.
    pub(crate) async fn turn(self: Arc<Self>) -> StartTurn {
        {
            let _first = self.queue.lock().await;
            while let Err(due) = self.take() {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => self.answered.notified().await,
                }
            }
        }
        StartTurn(self)
    }

    fn take(&self) -> Result<(), Option<Instant>> {
        self.counted().take(Instant::now())
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StartTurn {
    fn drop(&mut self) {
        self.0.counted().end(Instant::now());
        self.0.answered.notify_one();
    }
}

impl Counted {
    /// Counts one more start, or returns when the next may be counted: `None` if that depends on
    /// the starts under way.
    fn take(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        while self.answered.front().is_some_and(|at| *at + WINDOW <= now) {
            self.answered.pop_front();
        }
        if self.under_way + self.answered.len() >= self.per_minute.get() {
            return Err(self.answered.front().map(|at| *at + WINDOW));
        }
        self.under_way += 1;
        Ok(())
    }

    fn end(&mut self, now: Instant) {
        self.under_way -= 1;
        self.answered.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::Barrier;
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per_minute: usize) -> Arc<StartRate> {
        Arc::new(StartRate::new(NonZeroUsize::new(per_minute).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_minutes_worth_of_starts_goes_at_once_and_the_next_waits_for_the_minute() {
        let (rate, began) = (rate(3), Instant::now());
        let mut due = Vec::new();
        for _ in 0..7 {
            drop(rate.clone().turn().await);
            due.push(began.elapsed().as_secs());
        }
        assert_eq!(due, [0, 0, 0, 60, 60, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_is_under_way_counts_until_a_minute_after_its_answer() {
        let (rate, began) = (rate(1), Instant::now());
        let first = rate.clone().turn().await;
        let second = tokio::spawn(rate.turn());
        sleep(300 * SECOND).await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
        assert_eq!(began.elapsed(), 360 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_no_longer_waits_takes_no_turn() {
        let rate = rate(1);
        drop(rate.clone().turn().await);
        let began = Instant::now();
        assert!(
            tokio::time::timeout(SECOND, rate.clone().turn())
                .await
                .is_err()
        );
        drop(rate.turn().await);
        assert_eq!(began.elapsed(), WINDOW);
    }

    /// A 429 holds back some starts, which then go out together.
    #[tokio::test(start_paused = true)]
    async fn starts_that_were_held_back_do_not_meet_those_whose_turn_comes_then() {
        let (rate, sent) = (rate(50), Arc::new(Mutex::new(Vec::new())));
        let gate = Arc::new(Barrier::new(50));
        let mut starts = JoinSet::new();
        for number in 0..120 {
            let (rate, sent, gate) = (rate.clone(), sent.clone(), gate.clone());
            starts.spawn(async move {
                let _turn = rate.turn().await;
                if number < 50 {
                    // These starts go out when their turns are almost a minute old.
                    gate.wait().await;
                    sleep(59 * SECOND).await;
                }
                sent.lock().unwrap().push(Instant::now());
                sleep(SECOND).await;
            });
        }
        starts.join_all().await;
        is_within(&sent.lock().unwrap(), 50);
    }

    #[track_caller]
    fn is_within(sent: &[Instant], per_minute: usize) {
        assert!(sent.is_sorted());
        for window in sent.windows(per_minute + 1) {
            assert!(window[per_minute] - window[0] >= WINDOW);
        }
    }

    proptest! {
        /// Holds however long starts are held back before they are sent, and under way after that.
        #[test]
        fn no_minute_has_more_starts_than_allowed(
            per_minute in 1_usize..5,
            starts in proptest::collection::vec((0_u64..40, 0_u64..200, 0_u64..20), 1..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
            let sent = runtime.block_on(async {
                let (rate, sent) = (rate(per_minute), Arc::new(Mutex::new(Vec::new())));
                let mut tasks = JoinSet::new();
                for (pause, held_back, under_way) in starts {
                    sleep(SECOND * u32::try_from(pause).unwrap()).await;
                    let (rate, sent) = (rate.clone(), sent.clone());
                    tasks.spawn(async move {
                        let _turn = rate.turn().await;
                        sleep(Duration::from_secs(held_back)).await;
                        sent.lock().unwrap().push(Instant::now());
                        sleep(Duration::from_secs(under_way)).await;
                    });
                }
                tasks.join_all().await;
                Arc::into_inner(sent).unwrap().into_inner().unwrap()
            });
            is_within(&sent, per_minute);
        }
    }
}
