//! What drives a run: its limits, and what ends it early.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tulip_archive::core::Timestamp;
use tulip_archive::{Admission, ExportErrorKind};

use crate::NotStarted;
use crate::budget::Budget;
use crate::phase::Stopwatch;

/// The limits of a run. Generating archives puts load on the instance, so few are asked for at once;
/// a plant of up to a minute's worth of machines never waits for the rate.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Archives that are downloaded at the same time.
    pub(crate) concurrency: usize,
    /// Jobs that are pending at Tulip at the same time.
    pub(crate) max_pending: usize,
    /// Starts in any minute.
    pub(crate) start_rate: Option<NonZeroUsize>,
    pub(crate) time_limit: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            max_pending: 8,
            start_rate: NonZeroUsize::new(60),
            time_limit: None,
        }
    }
}

/// What drives a run that has begun.
pub(crate) struct Engine {
    budget: Budget,
    /// How many more jobs may be pending.
    pending: Arc<Semaphore>,
    /// The wait for one more.
    next: BoxFuture<'static, OwnedSemaphorePermit>,
    /// Completes when the run is to end early.
    end: Shared<BoxFuture<'static, End>>,
    ended: Option<End>,
    /// When the run began, by both clocks.
    began: (Timestamp, Instant),
}

/// What ends a run early, beside its policy.
#[derive(Debug, Clone, Copy)]
enum End {
    Interrupted,
    TimeLimit,
}

impl Engine {
    /// Sets the clock of the time limit going.
    pub(crate) fn new(limits: &Limits, shutdown: BoxFuture<'static, ()>) -> Self {
        let pending = Arc::new(Semaphore::new(
            limits.max_pending.min(Semaphore::MAX_PERMITS),
        ));
        Self {
            budget: Budget::new(limits.start_rate, limits.concurrency),
            next: one_more(pending.clone()),
            pending,
            end: end(shutdown, limits.time_limit).boxed().shared(),
            ended: None,
            began: (Timestamp::now(), Instant::now()),
        }
    }

    /// Measures an export of this run, which has waited for its start since the run began.
    pub(crate) fn stopwatch(&self) -> Stopwatch {
        Stopwatch::start(self.began.0, self.began.1)
    }

    /// Waits until one more job may be pending.
    pub(crate) fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<Arc<dyn Admission>> {
        self.next.poll_unpin(cx).map(|pending| {
            self.next = one_more(self.pending.clone());
            self.budget.turns(pending)
        })
    }

    /// Notices that the run is to end early.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) {
        if self.ended.is_none()
            && let Poll::Ready(end) = self.end.poll_unpin(cx)
        {
            self.ended = Some(end);
        }
    }

    /// Why no more exports are to be started, where the run is to end early.
    pub(crate) fn ended(&self) -> Option<NotStarted> {
        Some(match self.ended? {
            End::Interrupted => NotStarted::interrupted(),
            End::TimeLimit => NotStarted::new(
                ExportErrorKind::DeadlineExceeded,
                "not started: the time limit of the run was reached",
            ),
        })
    }

    /// Completes when the exports under way are to end.
    pub(crate) fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        self.end.clone().map(drop)
    }
}

async fn end(shutdown: BoxFuture<'static, ()>, limit: Option<Duration>) -> End {
    let limit = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown => End::Interrupted,
        () = limit => End::TimeLimit,
    }
}

async fn acquired(pending: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match pending.acquire_owned().await {
        Ok(permit) => permit,
        // Nothing closes it.
        Err(_) => std::future::pending().await,
    }
}

fn one_more(pending: Arc<Semaphore>) -> BoxFuture<'static, OwnedSemaphorePermit> {
    acquired(pending).boxed()
}
