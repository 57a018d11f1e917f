//! The run of a plan.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{Stream, StreamExt};
use tokio::task::JoinSet;
use tulip_archive::{Event, Source};

use crate::attempt::{Attempt, Ended, Observer};
use crate::engine::Engine;
use crate::ledger::RunLog;
use crate::limits::Limits;
use crate::queue::{Earlier, Queue, Queued};
use crate::retry::{FailedAttempt, Retry, RetryByOutcome, RetryPolicy};
use crate::{CircuitBreaker, ItemReport, NotStarted, Plan, StopPolicy};

/// A plan that runs: a stream of one report for each of its exports, as they end.
///
/// Jobs are started within a budget: at most [`Run::start_rate`] in any minute, and at most
/// [`Run::max_pending`] that Tulip is not done with. All that are started are polled, and each that
/// is complete is downloaded as soon as fewer than [`Run::concurrency`] others are. Large archives
/// get half of these turns at most, so that they do not hold up the others: see
/// [`Run::large_from`].
///
/// One that fails is tried again where the [`RetryPolicy`] says so, by default [`RetryByOutcome`],
/// and reported once, when it is not. It does not stop the others, unless the [`StopPolicy`] says
/// so; by default a [`CircuitBreaker`], which sees what is reported.
///
/// Nothing runs before the stream is polled first. It must be polled within a tokio runtime, on
/// which each export is a task of its own.
///
/// # Cancellation
/// [`Run::until`] ends the exports in order and reports every one. Dropping the stream drops its
/// exports: nothing of theirs is visible at the target, and jobs that were started continue at
/// Tulip, as [`Export`](tulip_archive::Export) says.
#[must_use = "nothing runs until the stream is polled"]
pub struct Run {
    queue: Queue,
    /// Reports that are to be yielded next.
    ended: VecDeque<ItemReport>,
    running: JoinSet<Ended>,
    limits: Limits,
    policy: Box<dyn StopPolicy>,
    retries: Box<dyn RetryPolicy>,
    observe: Box<dyn FnMut(&Source) -> Observer + Send>,
    on_retry: Box<dyn FnMut(&Retry<'_>) + Send>,
    shutdown: BoxFuture<'static, ()>,
    log: Option<Arc<RunLog>>,
    /// What the stream makes of these when it is polled first.
    engine: Option<Engine>,
    stopped: Option<Stopped>,
}

/// Why a run has ended early, and how many of its exports it has not started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The reason that each export that was not started was reported with.
    pub why: NotStarted,
    /// How many exports were not started.
    pub left: usize,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("waiting", &self.queue.len())
            .field("running", &self.running.len())
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// A run of this plan: four downloads at the same time, at most eight jobs pending and 60
    /// started in a minute, each export tried three times at most, stopped by a [`CircuitBreaker`],
    /// without a time limit.
    pub fn new(plan: Plan) -> Self {
        let (items, ended) = plan.into_parts();
        Self {
            queue: Queue::new(items),
            ended: ended.into(),
            running: JoinSet::new(),
            limits: Limits::default(),
            policy: Box::new(CircuitBreaker::default()),
            retries: Box::new(RetryByOutcome::default()),
            observe: Box::new(|_| Box::new(|_| {})),
            on_retry: Box::new(|_| {}),
            shutdown: pending().boxed(),
            log: None,
            engine: None,
            stopped: None,
        }
    }

    /// Downloads at most this many archives at the same time; 0 counts as 1.
    pub fn concurrency(mut self, downloads: usize) -> Self {
        self.limits.concurrency = downloads.max(1);
        self
    }

    /// Has at most this many jobs pending at Tulip at the same time; 0 counts as 1. A job is
    /// pending from its start until its archive can be downloaded.
    pub fn max_pending(mut self, jobs: usize) -> Self {
        self.limits.max_pending = jobs.max(1);
        self
    }

    /// Counts archives of at least this many bytes as large; 128 MiB by default. At most half of
    /// the downloads (but at least one) are of large archives; others wait. `u64::MAX` disables
    /// this. An archive of unknown length counts as small.
    pub fn large_from(mut self, bytes: u64) -> Self {
        self.limits.large_from = bytes;
        self
    }

    /// Sends at most this many starts in any minute; `None` sets no limit.
    pub fn start_rate(mut self, per_minute: Option<NonZeroUsize>) -> Self {
        self.limits.start_rate = per_minute;
        self
    }

    /// Ends the run after this time, as [`Run::until`] does, but each export with
    /// [`ExportErrorKind::DeadlineExceeded`](tulip_archive::ExportErrorKind::DeadlineExceeded);
    /// `None` sets no limit.
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limits.time_limit = limit;
        self
    }

    /// Ends each export after this time, with all its attempts and the pauses between them, with
    /// [`ExportErrorKind::DeadlineExceeded`](tulip_archive::ExportErrorKind::DeadlineExceeded);
    /// `None` sets no limit. The time begins when the run takes the export up.
    pub fn item_time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limits.item_time_limit = limit;
        self
    }

    /// Decides which exports that have failed are tried again.
    pub fn retry_policy(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retries = Box::new(policy);
        self
    }

    /// Calls `observe` for each failed attempt that is to be followed by another.
    pub fn on_retry(mut self, observe: impl FnMut(&Retry<'_>) + Send + 'static) -> Self {
        self.on_retry = Box::new(observe);
        self
    }

    /// Decides when no more exports are started.
    pub fn stop_policy(mut self, policy: impl StopPolicy + 'static) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// Calls `observe` with each source before each attempt, and what that returns with
    /// every [`Event`] of that attempt.
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

    /// Records in a ledger the job of each export as soon as it is known, and how the export ends.
    /// Where another process has taken the run over, it ends early, and its exports as
    /// [`ExportErrorKind::Fenced`](tulip_archive::ExportErrorKind::Fenced).
    pub fn log(mut self, log: Arc<RunLog>) -> Self {
        self.log = Some(log);
        self
    }

    /// How many reports are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.queue.len() + self.running.len() + self.ended.len()
    }

    /// Why the run has ended early, where that has cost an export: it was interrupted, its time
    /// limit was reached, or its [`StopPolicy`] stopped it.
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

    fn poll_report(
        &mut self,
        engine: &mut Engine,
        cx: &mut Context<'_>,
    ) -> Poll<Option<ItemReport>> {
        loop {
            engine.poll_end(cx);
            if self.ended.is_empty() {
                self.advance(engine, cx);
            }
            if let Some(report) = self.ended.pop_front() {
                return Poll::Ready(Some(report));
            }
            match self.running.poll_join_next(cx) {
                Poll::Ready(Some(Ok(ended))) => {
                    if let Some(report) = self.conclude(engine, ended) {
                        return Poll::Ready(Some(report));
                    }
                }
                // Nothing cancels a task, so it has panicked, in the observer or in a sink.
                Poll::Ready(Some(Err(error))) => std::panic::resume_unwind(error.into_panic()),
                // What is left waits for its time, or for the store.
                Poll::Ready(None) if self.queue.len() > 0 => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Takes up exports while there is room, or gives up those that are left.
    fn advance(&mut self, engine: &mut Engine, cx: &mut Context<'_>) {
        engine.poll_store(cx, self.retries.as_mut());
        self.queue.poll_due(cx);
        if let Some(why) = engine.ended().or_else(|| self.policy.stop()) {
            // A success of an export that is under way may prove the others worth trying, so
            // they are given up once nothing is under way.
            if self.running.is_empty() {
                self.give_up(&why, engine);
            }
            return;
        }
        while engine.is_store_up() {
            let is_held = match self.queue.front() {
                Some(next) => next.earlier.is_none() && self.policy.hold(self.queue.delayed()),
                None => true,
            };
            if is_held {
                return;
            }
            let Poll::Ready(turns) = engine.poll_turns(cx) else {
                return;
            };
            if let Some(queued) = self.queue.pop() {
                let observer = (self.observe)(&queued.item.source);
                let attempt = Attempt::new(queued, engine, self.log.clone());
                self.running.spawn(attempt.run(observer, turns));
            }
        }
    }

    fn give_up(&mut self, why: &NotStarted, engine: &Engine) {
        let mut left = 0;
        for Queued { item, earlier } in self.queue.take_all() {
            self.ended.push_back(match earlier {
                Some(earlier) => earlier.report,
                None => {
                    left += 1;
                    let mut report = ItemReport::not_started(item.source, why.clone());
                    report.measured = engine.stopwatch().read();
                    report
                }
            });
        }
        if left > 0 {
            let why = why.clone();
            self.stopped = Some(Stopped { why, left });
        }
    }

    /// Has a failed export wait for another attempt, or hands its report out.
    fn conclude(&mut self, engine: &mut Engine, ended: Ended) -> Option<ItemReport> {
        // The turns end here, so that no other export is taken up before the policy has seen this.
        if ended.is_fenced() {
            engine.fenced();
        }
        let (item, tries, report, _turns) = ended.into_parts();
        if report.is_store_down() {
            engine.store_is_down(item.exporter(), self.retries.as_mut());
        }
        if let Some(why) = engine.ended().filter(|_| report.result.is_err()) {
            self.stopped.get_or_insert(Stopped { why, left: 0 });
        }
        let is_ending = engine.ended().is_some() || self.policy.stop().is_some();
        let job = report.job_to_fetch().cloned();
        let retry = report.failure().filter(|_| !is_ending).and_then(|error| {
            let failed = FailedAttempt {
                source: &report.source,
                outcome: report.outcome(),
                error,
                attempts: report.attempts,
                job: job.as_ref(),
            };
            let after = self.retries.retry(&failed)?;
            let is_in_time = engine.is_in_time(tries.started.1, after);
            is_in_time.then_some(Retry { failed, after })
        });
        let Some(retry) = retry else {
            self.policy.record(&report);
            return Some(report);
        };
        (self.on_retry)(&retry);
        let after = retry.after;
        tries.stopwatch.retry();
        let earlier = Some(Earlier { tries, report, job });
        self.queue.retry(Queued { item, earlier }, after);
        None
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
        let polled = run.poll_report(&mut engine, cx);
        run.engine = Some(engine);
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}
