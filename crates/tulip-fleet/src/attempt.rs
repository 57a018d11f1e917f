//! One attempt of one export.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tulip_archive::core::Timestamp;
use tulip_archive::{EndReason, Event, ExportErrorKind, JobId};

use crate::budget::Turns;
use crate::engine::Engine;
use crate::ledger::RunLog;
use crate::queue::{Queued, Tries};
use crate::{Item, ItemError, ItemReport, ItemSummary, NotStarted};

/// Follows one attempt.
pub(crate) type Observer = Box<dyn FnMut(Event<'_>) + Send>;

/// An attempt that is to be made.
pub(crate) struct Attempt {
    item: Item,
    tries: Tries,
    job: Option<JobId>,
    end: Shared<BoxFuture<'static, EndReason>>,
    log: Option<Arc<RunLog>>,
}

/// An attempt that was made. It holds its turns until it is dropped.
pub(crate) struct Ended {
    item: Item,
    tries: Tries,
    report: ItemReport,
    turns: Arc<Turns>,
    /// Whether another process has taken the run over.
    is_fenced: bool,
}

impl Attempt {
    pub(crate) fn new(queued: Queued, engine: &Engine, log: Option<Arc<RunLog>>) -> Self {
        let (mut tries, job) = match queued.earlier {
            Some(earlier) => (earlier.tries, earlier.job),
            None => {
                let tries = Tries {
                    attempts: 0,
                    started: (Timestamp::now(), Instant::now()),
                    stopwatch: engine.stopwatch(),
                };
                (tries, queued.item.job.clone())
            }
        };
        tries.attempts += 1;
        Self {
            end: engine.end_of(tries.started.1).boxed().shared(),
            item: queued.item,
            tries,
            job,
            log,
        }
    }

    pub(crate) async fn run(self, observer: Observer, turns: Arc<Turns>) -> Ended {
        let log = self.log.clone();
        let is_ours = match &log {
            Some(log) => log.record(self.running(self.job.as_ref())).await,
            None => true,
        };
        let result = match is_ours {
            true => self.export(observer, turns.clone()).await,
            false => Err(ItemError::NotStarted(NotStarted::new(
                ExportErrorKind::Fenced,
                "not started: another process has taken this run over",
            ))),
        };
        let report = ItemReport {
            source: self.item.source.clone(),
            result,
            started: Some(self.tries.started.0),
            attempts: self.tries.attempts,
            ended: Timestamp::now(),
            measured: self.tries.stopwatch.read(),
            remembered: self.item.is_remembered(),
        };
        let is_still_ours = match log.filter(|_| is_ours) {
            Some(log) => log.record(ItemSummary::of(&report)).await,
            None => is_ours,
        };
        Ended {
            item: self.item,
            tries: self.tries,
            report,
            turns,
            is_fenced: !is_still_ours,
        }
    }

    /// Exports, and records the job as soon as it is known.
    async fn export(
        &self,
        mut observer: Observer,
        turns: Arc<Turns>,
    ) -> Result<tulip_archive::Outcome, ItemError> {
        let stopwatch = self.tries.stopwatch.clone();
        let (known, job) = oneshot::channel();
        let mut known = Some(known);
        let observer = move |event: Event<'_>| {
            if let Event::Started { job } | Event::ResumingJob { job, .. } = &event
                && let Some(known) = known.take()
            {
                // It is not waited for where nothing is recorded.
                let _ = known.send((*job).clone());
            }
            stopwatch.event(&event);
            observer(event);
        };
        let export = self.item.export(self.job.as_ref());
        let export = export.on_event(observer).admission(turns);
        let export = export.until(self.end.clone());
        let Some(log) = &self.log else {
            return export.await.map_err(ItemError::Failed);
        };
        let recorded = async {
            // Without a job the export ends, and with it the observer.
            if let Ok(job) = job.await {
                // The end of the export tells where another process has the run.
                let _ = log.record(self.running(Some(&job))).await;
            }
        };
        let (result, ()) = tokio::join!(export, recorded);
        result.map_err(ItemError::Failed)
    }

    fn running(&self, job: Option<&JobId>) -> ItemSummary {
        let tries = &self.tries;
        ItemSummary::running(&self.item.source, job, (tries.attempts, tries.started.0))
    }
}

impl Ended {
    pub(crate) fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    pub(crate) fn into_parts(self) -> (Item, Tries, ItemReport, Arc<Turns>) {
        (self.item, self.tries, self.report, self.turns)
    }
}
