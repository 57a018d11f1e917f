//! The engine that drives a run, and the reasons that end it early.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tokio::time::Instant;
use tulip_archive::core::Timestamp;
use tulip_archive::{EndReason, ExportErrorKind, Exporter};

use crate::budget::{Budget, Turns};
use crate::limits::Limits;
use crate::phase::Stopwatch;
use crate::store_gate::StoreGate;
use crate::{ItemRetryPolicy, NotStarted};

/// The state that drives a run once it has started.
pub(crate) struct Engine {
    budget: Budget,
    /// The wait for the turns of the next export.
    next: BoxFuture<'static, Arc<Turns>>,
    /// Completes when the run must end early.
    end: Shared<BoxFuture<'static, End>>,
    ended: Option<End>,
    store: StoreGate,
    time_limit: Option<Duration>,
    item_time_limit: Option<Duration>,
    /// When the run started, by the wall clock and the monotonic clock.
    began: (Timestamp, Instant),
}

/// A reason to end a run early, besides its stop policy.
#[derive(Debug, Clone, Copy)]
enum End {
    Interrupted,
    /// Another process has taken the run over.
    Fenced,
    TimeLimit,
}

impl From<End> for EndReason {
    fn from(end: End) -> Self {
        match end {
            // Exports notice a takeover by themselves, and are not ended from here.
            End::Interrupted | End::Fenced => Self::Interrupted,
            End::TimeLimit => Self::TimeLimit("the time limit of the run was reached".into()),
        }
    }
}

impl Engine {
    /// Creates the engine, and starts the time limit of the run.
    pub(crate) fn new(limits: &Limits, shutdown: BoxFuture<'static, ()>) -> Self {
        let store = StoreGate::new();
        let budget = Budget::new(limits, store.waiter());
        Self {
            next: budget.clone().turns().boxed(),
            budget,
            end: end(shutdown, limits.time_limit).boxed().shared(),
            ended: None,
            store,
            time_limit: limits.time_limit,
            item_time_limit: limits.item_time_limit,
            began: (Timestamp::now(), Instant::now()),
        }
    }

    /// Returns a stopwatch for an export, which has been waiting to start since the run started.
    pub(crate) fn stopwatch(&self) -> Stopwatch {
        Stopwatch::start(self.began.0, self.began.1)
    }

    /// Waits until one more export may be under way.
    pub(crate) fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Turns>> {
        let next = self.next.poll_unpin(cx);
        next.map(|turns| {
            self.next = self.budget.clone().turns().boxed();
            turns
        })
    }

    /// Checks whether the run must end early.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) {
        if self.ended.is_none()
            && let Poll::Ready(end) = self.end.poll_unpin(cx)
        {
            self.ended = Some(end);
        }
    }

    /// Stops starting exports, because another process has taken over the run. Those under way
    /// notice by themselves.
    pub(crate) fn fenced(&mut self) {
        self.ended.get_or_insert(End::Fenced);
    }

    /// Returns why no more exports are started, or `None` if the run has not ended early.
    pub(crate) fn ended(&self) -> Option<NotStarted> {
        if self.ended.is_none() && self.store.is_given_up() {
            return Some(NotStarted::new(
                ExportErrorKind::StoreUnavailable,
                "not started: the target was down and did not come back",
            ));
        }
        Some(match self.ended? {
            End::Interrupted => NotStarted::interrupted(),
            End::Fenced => NotStarted::new(
                ExportErrorKind::Fenced,
                "not started: another process has taken this run over",
            ),
            End::TimeLimit => NotStarted::new(
                ExportErrorKind::DeadlineExceeded,
                "not started: the time limit of the run was reached",
            ),
        })
    }

    /// Completes with the reason when an export that was taken up at `taken_up` must end.
    pub(crate) fn end_of(
        &self,
        taken_up: Instant,
    ) -> impl Future<Output = EndReason> + Send + use<> {
        let run = self.end.clone().map(EndReason::from);
        let limit = self.item_time_limit;
        let deadline = limit.and_then(|limit| taken_up.checked_add(limit));
        async move {
            match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, run).await {
                    Ok(reason) => reason,
                    Err(_) => {
                        EndReason::TimeLimit("the time limit of each export was reached".into())
                    }
                },
                None => run.await,
            }
        }
    }

    /// Whether an attempt after this pause starts within the time limits of the run and of an
    /// export that was taken up at `taken_up`.
    pub(crate) fn is_in_time(&self, taken_up: Instant, after: Duration) -> bool {
        let is_within = |since: Instant, limit: Option<Duration>| {
            limit.is_none_or(|limit| since.elapsed().saturating_add(after) < limit)
        };
        is_within(self.began.1, self.time_limit) && is_within(taken_up, self.item_time_limit)
    }

    /// Holds back whatever writes to the store, until a probe succeeds or the policy gives the
    /// store up.
    pub(crate) fn store_is_down(&mut self, exporter: &Exporter, policy: &mut dyn ItemRetryPolicy) {
        self.store
            .close(exporter, &mut |failed| policy.probe_pause(failed));
    }

    pub(crate) fn is_store_up(&self) -> bool {
        self.store.is_open()
    }

    /// Polls the probe of a store that is down.
    pub(crate) fn poll_store(&mut self, cx: &mut Context<'_>, policy: &mut dyn ItemRetryPolicy) {
        self.store
            .poll(cx, &mut |failed| policy.probe_pause(failed));
    }
}

/// Completes when the run must end early. Its time limit starts now.
fn end(
    shutdown: BoxFuture<'static, ()>,
    limit: Option<Duration>,
) -> impl Future<Output = End> + Send + use<> {
    let limit = limit.map(tokio::time::sleep);
    let limit = async {
        match limit {
            Some(limit) => limit.await,
            None => std::future::pending().await,
        }
    };
    async {
        tokio::select! {
            biased;
            () = shutdown => End::Interrupted,
            () = limit => End::TimeLimit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn engine(run: u32, item: u32, shutdown: u32) -> Engine {
        let limit = |minutes: u32| (minutes > 0).then_some(MINUTE * minutes);
        let limits = Limits {
            time_limit: limit(run),
            item_time_limit: limit(item),
            ..Limits::default()
        };
        let shutdown = match limit(shutdown) {
            Some(after) => tokio::time::sleep(after).boxed(),
            None => std::future::pending().boxed(),
        };
        Engine::new(&limits, shutdown)
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_comes_first_ends_an_export_and_is_named() {
        let of_run = EndReason::TimeLimit("the time limit of the run was reached".into());
        let of_item = EndReason::TimeLimit("the time limit of each export was reached".into());
        for (run, item, shutdown, minutes, reason) in [
            (5, 0, 0, 5, of_run.clone()),
            (5, 3, 0, 5, of_run),
            (9, 3, 0, 6, of_item.clone()),
            (0, 3, 0, 6, of_item),
            (9, 4, 5, 5, EndReason::Interrupted),
            (0, 0, 5, 5, EndReason::Interrupted),
        ] {
            let engine = engine(run, item, shutdown);
            let began = Instant::now();
            // The run takes up the export some time after it has started.
            tokio::time::sleep(3 * MINUTE).await;
            let ended = engine.end_of(Instant::now()).await;
            assert_eq!((ended, began.elapsed()), (reason, MINUTE * minutes));
        }
    }
}
