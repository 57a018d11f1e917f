//! The run of a plan.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{Stream, StreamExt};
use tokio::task::JoinSet;
use tulip_archive::core::Timestamp;
use tulip_archive::{Admission, Event, Source};

use crate::engine::{Engine, Limits};
use crate::{CircuitBreaker, Item, ItemError, ItemReport, NotStarted, Plan, StopPolicy};

/// Follows one export.
type Observer = Box<dyn FnMut(Event<'_>) + Send>;

/// A plan that runs: a stream of one report for each of its exports, as they end.
///
/// Jobs are started within a budget: at most [`Run::start_rate`] in any minute, and at most
/// [`Run::max_pending`] that Tulip is not done with. All that are started are polled, and each that
/// is complete is downloaded as soon as fewer than [`Run::concurrency`] others are.
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
    /// With its report each brings back its turns: they end once the report is recorded, so that no
    /// other export is taken up before the policy has seen it.
    running: JoinSet<(ItemReport, Arc<dyn Admission>)>,
    limits: Limits,
    policy: Box<dyn StopPolicy>,
    observe: Box<dyn FnMut(&Source) -> Observer + Send>,
    shutdown: BoxFuture<'static, ()>,
    /// What the stream makes of these when it is polled first.
    engine: Option<Engine>,
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
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// A run of this plan: four downloads at the same time, at most eight jobs pending and 60
    /// started in a minute, stopped by a [`CircuitBreaker`], without a time limit.
    pub fn new(plan: Plan) -> Self {
        let (items, ended) = plan.into_parts();
        Self {
            waiting: items.into(),
            ended: ended.into(),
            running: JoinSet::new(),
            limits: Limits::default(),
            policy: Box::new(CircuitBreaker::default()),
            observe: Box::new(|_| Box::new(|_| {})),
            shutdown: pending().boxed(),
            engine: None,
            stopped: None,
        }
    }

    /// Downloads at most this many archives at the same time; 0 counts as 1.
    pub fn concurrency(mut self, downloads: usize) -> Self {
        self.limits.concurrency = downloads.max(1);
        self
    }

    /// Has at most this many jobs pending at Tulip at the same time; 0 counts as 1. A job is pending
    /// from its start until its archive can be downloaded.
    pub fn max_pending(mut self, jobs: usize) -> Self {
        self.limits.max_pending = jobs.max(1);
        self
    }

    /// Sends at most this many starts in any minute; `None` sets no limit.
    pub fn start_rate(mut self, per_minute: Option<NonZeroUsize>) -> Self {
        self.limits.start_rate = per_minute;
        self
    }

    /// Ends the run after this time, as [`Run::until`] does; `None` sets no limit. Exports that were
    /// not taken up are reported with
    /// [`ExportErrorKind::DeadlineExceeded`](tulip_archive::ExportErrorKind::DeadlineExceeded).
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limits.time_limit = limit;
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
        self.shutdown = shutdown.boxed();
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
    fn advance(&mut self, engine: &mut Engine, cx: &mut Context<'_>) {
        // Beside those that are pending, as many as can be downloaded wait for that.
        let most = self
            .limits
            .max_pending
            .saturating_add(self.limits.concurrency);
        while !self.waiting.is_empty() && self.running.len() < most {
            if let Some(why) = engine.ended().or_else(|| self.policy.stop()) {
                // A success of an export that is under way may prove the others worth trying, so
                // they are given up once nothing is under way.
                if self.running.is_empty() {
                    self.give_up(&why, engine);
                }
                return;
            }
            let Poll::Ready(turns) = engine.poll_turns(cx) else {
                return;
            };
            if let Some(item) = self.waiting.pop_front() {
                self.start(item, turns, engine);
            }
        }
    }

    fn give_up(&mut self, why: &NotStarted, engine: &Engine) {
        if !self.waiting.is_empty() {
            self.stopped = Some(Stopped {
                why: why.clone(),
                left: self.waiting.len(),
            });
        }
        for item in self.waiting.drain(..) {
            let (source, ..) = item.into_parts();
            let mut report = ItemReport::not_started(source, why.clone());
            report.measured = engine.stopwatch().read();
            self.ended.push_back(report);
        }
    }

    fn start(&mut self, item: Item, turns: Arc<dyn Admission>, engine: &Engine) {
        let (source, export, remembered) = item.into_parts();
        let mut observer = (self.observe)(&source);
        let stopwatch = engine.stopwatch();
        let measuring = stopwatch.clone();
        let observer = move |event: Event<'_>| {
            measuring.event(&event);
            observer(event);
        };
        let running = export
            .on_event(observer)
            .admission(turns.clone())
            .until(engine.end())
            .into_future();
        let started = Timestamp::now();
        self.running.spawn(async move {
            let result = running.await.map_err(ItemError::Failed);
            let report = ItemReport {
                source,
                result,
                started: Some(started),
                attempts: 1,
                measured: stopwatch.read(),
                ended: Timestamp::now(),
                remembered,
            };
            (report, turns)
        });
    }
}

impl Stream for Run {
    type Item = ItemReport;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let run = &mut *self;
        let mut engine = match run.engine.take() {
            Some(engine) => engine,
            None => {
                let shutdown = std::mem::replace(&mut run.shutdown, pending().boxed());
                Engine::new(&run.limits, shutdown)
            }
        };
        engine.poll_end(cx);
        if run.ended.is_empty() {
            run.advance(&mut engine, cx);
        }
        run.engine = Some(engine);
        if let Some(report) = run.ended.pop_front() {
            return Poll::Ready(Some(report));
        }
        match ready!(run.running.poll_join_next(cx)) {
            Some(Ok((report, _turns))) => {
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
