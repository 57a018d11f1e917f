//! The run of a plan.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use futures_util::stream::{Stream, StreamExt};
use tokio::task::JoinSet;
use tulip_archive::core::Timestamp;
use tulip_archive::{Event, Source};

use crate::{CircuitBreaker, Item, ItemError, ItemReport, NotStarted, Plan, StopPolicy};

/// How many exports run at the same time, where nothing else is said.
const CONCURRENCY: usize = 4;

/// Follows one export.
type Observer = Box<dyn FnMut(Event<'_>) + Send>;

/// A plan that runs: a stream of one report for each of its exports, as they end.
///
/// One that fails does not stop the others, unless the [`StopPolicy`] says so; by default a
/// [`CircuitBreaker`]. Nothing runs before the stream is polled first. It must be polled within a
/// tokio runtime, on which each export is a task of its own.
///
/// # Cancellation
/// [`Run::until`] ends the exports in order and reports every one. Dropping the stream drops its
/// exports: nothing of theirs is visible at the target, and jobs that were started continue at
/// Tulip, as [`Export`](tulip_archive::Export) says.
#[must_use = "nothing runs until the stream is polled"]
pub struct Run {
    waiting: VecDeque<Item>,
    /// Reports that are to be yielded next.
    ended: VecDeque<ItemReport>,
    running: JoinSet<ItemReport>,
    concurrency: usize,
    policy: Box<dyn StopPolicy>,
    observe: Box<dyn FnMut(&Source) -> Observer + Send>,
    shutdown: Shared<BoxFuture<'static, ()>>,
    is_interrupted: bool,
    stopped: Option<Stopped>,
}

/// Why a run has started no more exports, and how many were left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The reason that each of them was reported with.
    pub why: NotStarted,
    /// How many exports were not started.
    pub left: usize,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .field("concurrency", &self.concurrency)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// A run of this plan: four exports at the same time, stopped by a [`CircuitBreaker`].
    pub fn new(plan: Plan) -> Self {
        let (items, ended) = plan.into_parts();
        Self {
            waiting: items.into(),
            ended: ended.into(),
            running: JoinSet::new(),
            concurrency: CONCURRENCY,
            policy: Box::new(CircuitBreaker::default()),
            observe: Box::new(|_| Box::new(|_| {})),
            shutdown: std::future::pending().boxed().shared(),
            is_interrupted: false,
            stopped: None,
        }
    }

    /// Runs at most this many exports at the same time; 0 counts as 1.
    pub fn concurrency(mut self, exports: usize) -> Self {
        self.concurrency = exports.max(1);
        self
    }

    /// Decides when no more exports are started.
    pub fn stop_policy(mut self, policy: impl StopPolicy + 'static) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// Calls `observe` with each source when its export is taken up, and what that returns with
    /// every [`Event`] of that export.
    pub fn on_event<O>(mut self, mut observe: impl FnMut(&Source) -> O + Send + 'static) -> Self
    where
        O: FnMut(Event<'_>) + Send + 'static,
    {
        self.observe = Box::new(move |source| Box::new(observe(source)));
        self
    }

    /// Ends the run when `shutdown` completes: exports under way end as
    /// [`Export::until`](tulip_archive::Export::until) says, no more are started, and each is
    /// reported as interrupted.
    pub fn until(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = shutdown.boxed().shared();
        self
    }

    /// How many reports are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.waiting.len() + self.running.len() + self.ended.len()
    }

    /// Why the run was ended early, where exports were left: it was interrupted, or its
    /// [`StopPolicy`] stopped it.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// The next report, or `None` once every export has been reported.
    ///
    /// # Cancellation
    /// Dropping the future loses no report.
    pub async fn next(&mut self) -> Option<ItemReport> {
        StreamExt::next(self).await
    }

    /// Takes up exports while there is room, or gives up those that are left.
    fn advance(&mut self) {
        while self.running.len() < self.concurrency {
            if let Some(why) = self.given_up() {
                // A success of an export that is under way may prove the others worth trying, so
                // they are given up once nothing is under way.
                if self.running.is_empty() {
                    self.give_up(&why);
                }
                return;
            }
            let Some(item) = self.waiting.pop_front() else {
                return;
            };
            self.start(item);
        }
    }

    fn give_up(&mut self, why: &NotStarted) {
        if !self.waiting.is_empty() {
            self.stopped = Some(Stopped {
                why: why.clone(),
                left: self.waiting.len(),
            });
        }
        for item in self.waiting.drain(..) {
            let (source, ..) = item.into_parts();
            let report = ItemReport::not_started(source, why.clone());
            self.ended.push_back(report);
        }
    }

    /// Why no more exports are to be started.
    fn given_up(&self) -> Option<NotStarted> {
        match self.is_interrupted {
            true => Some(NotStarted::interrupted()),
            false => self.policy.stop(),
        }
    }

    fn start(&mut self, item: Item) {
        let (source, export, remembered) = item.into_parts();
        let observer = (self.observe)(&source);
        let running = export
            .on_event(observer)
            .until(self.shutdown.clone())
            .into_future();
        let started = Timestamp::now();
        self.running.spawn(async move {
            let result = running.await.map_err(ItemError::Failed);
            ItemReport {
                source,
                result,
                started: Some(started),
                attempts: 1,
                ended: Timestamp::now(),
                remembered,
            }
        });
    }
}

impl Stream for Run {
    type Item = ItemReport;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let run = &mut *self;
        if !run.is_interrupted && run.shutdown.poll_unpin(cx).is_ready() {
            run.is_interrupted = true;
        }
        if let Some(report) = run.ended.pop_front() {
            return Poll::Ready(Some(report));
        }
        run.advance();
        if let Some(report) = run.ended.pop_front() {
            return Poll::Ready(Some(report));
        }
        match ready!(run.running.poll_join_next(cx)) {
            Some(Ok(report)) => {
                run.policy.record(&report);
                Poll::Ready(Some(report))
            }
            // Nothing cancels a task, so it has panicked, in the observer or in a sink.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}
