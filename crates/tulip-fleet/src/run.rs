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
use crate::retry::{FailedAttempt, ItemRetryPolicy, Retry, RetryByOutcome};
use crate::{CircuitBreaker, ItemReport, NotStarted, Plan, StopPolicy};

/// A running plan: a stream that yields a report for each export as it ends.
///
/// Jobs are started within a budget: at most [`Run::start_rate`] in any minute, and at most
/// [`Run::max_pending`] pending at Tulip. All started jobs are polled, and a complete one is
/// downloaded as soon as fewer than [`Run::concurrency`] others are. Large archives get at most
/// half of the downloads, so that they do not hold up the others: see [`Run::large_from`].
///
/// A failed export is tried again if the [`ItemRetryPolicy`] says so, by default [`RetryByOutcome`],
/// and is reported once, after its last attempt. It does not stop the others unless the
/// [`StopPolicy`] says so, by default a [`CircuitBreaker`]. The stop policy sees only reported
/// exports.
///
/// Nothing runs until the stream is first polled. It must be polled within a tokio runtime, on
/// which each export is its own task.
///
/// # Cancellation
/// [`Run::until`] ends the exports in an orderly way and reports every one. Dropping the stream
/// drops its exports: they leave nothing partial visible at the target, and started jobs continue
/// at Tulip. An export that is committing may leave its whole object, as
/// [`Export`](tulip_archive::Export) describes.
#[must_use = "nothing runs until the stream is polled"]
pub struct Run {
    queue: Queue,
    /// Reports to be yielded next.
    ended: VecDeque<ItemReport>,
    running: JoinSet<Ended>,
    limits: Limits,
    policy: Box<dyn StopPolicy>,
    retries: Box<dyn ItemRetryPolicy>,
    observe: Box<dyn FnMut(&Source) -> Observer + Send>,
    on_retry: Box<dyn FnMut(&Retry<'_>) + Send>,
    shutdown: BoxFuture<'static, ()>,
    log: Option<Arc<RunLog>>,
    /// Created from the limits and the shutdown when the stream is first polled.
    engine: Option<Engine>,
    stopped: Option<Stopped>,
}

/// Why a run ended early, and how many of its exports it did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// The reason reported for each export that was not started.
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
    /// Creates a run of this plan with the defaults: four downloads at the same time, at most eight
    /// jobs pending, 60 starts in any minute, three attempts for each export, a [`CircuitBreaker`],
    /// and no time limit.
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

    /// Keeps at most this many jobs pending at Tulip at the same time; 0 counts as 1. A job is
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

    /// Ends the run after this time, like [`Run::until`], but ends each export with
    /// [`ExportErrorKind::DeadlineExceeded`](tulip_archive::ExportErrorKind::DeadlineExceeded);
    /// `None` sets no limit. The time that the sink needs to commit or clean up is added.
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limits.time_limit = limit;
        self
    }

    /// Ends each export after this time with
    /// [`ExportErrorKind::DeadlineExceeded`](tulip_archive::ExportErrorKind::DeadlineExceeded);
    /// `None` sets no limit. The time starts when the run takes up the export, and includes all
    /// attempts and the pauses between them. The time that the sink needs to commit or clean up is
    /// added.
    pub fn item_time_limit(mut self, limit: Option<Duration>) -> Self {
        self.limits.item_time_limit = limit;
        self
    }

    /// Decides which failed exports are tried again.
    pub fn retry_policy(mut self, policy: impl ItemRetryPolicy + 'static) -> Self {
        self.retries = Box::new(policy);
        self
    }

    /// Calls `observe` for each failed attempt that will be followed by another.
    pub fn on_retry(mut self, observe: impl FnMut(&Retry<'_>) + Send + 'static) -> Self {
        self.on_retry = Box::new(observe);
        self
    }

    /// Decides when no more exports are started.
    pub fn stop_policy(mut self, policy: impl StopPolicy + 'static) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// Calls `observe` with the source before each attempt, and calls the function that it returns
    /// with every [`Event`] of that attempt.
    pub fn on_event<O>(mut self, mut observe: impl FnMut(&Source) -> O + Send + 'static) -> Self
    where
        O: FnMut(Event<'_>) + Send + 'static,
    {
        self.observe = Box::new(move |source| Box::new(observe(source)));
        self
    }

    /// Ends the run when `shutdown` completes: exports under way end as
    /// [`Export::until`](tulip_archive::Export::until) describes, no more are started, and each is
    /// reported as interrupted.
    pub fn until(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = shutdown.boxed();
        self
    }

    /// Records the job of each export in a ledger as soon as it is known, and how the export ends.
    /// If another process takes over the run, it ends early, and exports that are not started yet
    /// end as [`ExportErrorKind::Fenced`](tulip_archive::ExportErrorKind::Fenced).
    pub fn log(mut self, log: Arc<RunLog>) -> Self {
        self.log = Some(log);
        self
    }

    /// Returns the number of reports still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.queue.len() + self.running.len() + self.ended.len()
    }

    /// Returns why the run ended early, if that cost an export: it was interrupted, its time limit
    /// was reached, its [`StopPolicy`] stopped it, the store was given up, or another process took
    /// it over.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// Returns the next report, or `None` once every export has been reported.
    ///
    /// # Panics
    /// If an observer or a sink has panicked in an export: the panic continues here. The same
    /// applies to polling the stream.
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
                // No task is ever cancelled, so this one panicked, in the observer or in a sink.
                Poll::Ready(Some(Err(error))) => std::panic::resume_unwind(error.into_panic()),
                // The remaining exports wait for their next attempt, or for the store.
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
            // A success of an export under way may prove the others worth trying, so they are given
            // up only once nothing is under way.
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

    /// Queues a failed export for another attempt, or returns its report.
    fn conclude(&mut self, engine: &mut Engine, ended: Ended) -> Option<ItemReport> {
        // The turns are held until this function returns, so that no other export is taken up
        // before the policy has seen this one.
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
