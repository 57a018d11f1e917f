//! One attempt of one export.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tulip_archive::core::Timestamp;
use tulip_archive::{EndReason, Event, ExportErrorKind, JobId};

use crate::budget::Turns;
use crate::engine::Engine;
use crate::fence::Fence;
use crate::ledger::RunLog;
use crate::queue::{Queued, Tries};
use crate::{Item, ItemError, ItemReport, ItemSummary, NotStarted};

/// Observes the events of one attempt.
pub(crate) type Observer = Box<dyn FnMut(Event<'_>) + Send>;

/// An attempt to be made.
pub(crate) struct Attempt {
    item: Item,
    tries: Tries,
    job: Option<JobId>,
    end: Shared<BoxFuture<'static, EndReason>>,
    log: Option<Arc<RunLog>>,
}

/// A finished attempt. It holds its turns until it is dropped.
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
            log: queued.item.log.clone().or(log),
            item: queued.item,
            tries,
            job,
        }
    }

    pub(crate) async fn run(self, observer: Observer, turns: Arc<Turns>) -> Ended {
        let result = match &self.log {
            Some(log) => self.recorded(observer, turns.clone(), log).await,
            None => {
                let export = self.item.export(self.job.as_ref());
                let export = export.on_event(self.observer(observer, None));
                let export = export.admission(turns.clone()).until(self.end.clone());
                export.await.map_err(ItemError::Failed)
            }
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
        let is_still_ours = match &self.log {
            Some(log) => log.record(ItemSummary::of(&report)).await,
            None => true,
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
    async fn recorded(
        &self,
        observer: Observer,
        turns: Arc<Turns>,
        log: &Arc<RunLog>,
    ) -> Result<tulip_archive::Outcome, ItemError> {
        let fence = Fence::new(turns, log.clone());
        let (end, lost) = (self.end.clone(), fence.lost());
        let end = async {
            tokio::select! {
                reason = end => reason,
                () = lost => EndReason::Fenced,
            }
        };
        let (known, job) = oneshot::channel();
        let export = self.item.export(self.job.as_ref());
        let export = export.on_event(self.observer(observer, Some(known)));
        let export = export.admission(fence.clone()).until(end);
        let recorded = async {
            // If no job becomes known, the export drops the sender, and this ends.
            if let Ok(job) = job.await {
                // A lost claim is noticed when the end of the export is recorded.
                let _ = log.record(self.running(&job)).await;
            }
        };
        let (result, ()) = tokio::join!(export, recorded);
        match fence.is_lost() {
            true => Err(ItemError::NotStarted(NotStarted::new(
                ExportErrorKind::Fenced,
                "not started: another process has taken this run over",
            ))),
            false => result.map_err(ItemError::Failed),
        }
    }

    /// Measures the export, and sends its job as soon as it is known.
    fn observer(
        &self,
        mut observer: Observer,
        mut known: Option<oneshot::Sender<JobId>>,
    ) -> impl FnMut(Event<'_>) + Send + use<> {
        let stopwatch = self.tries.stopwatch.clone();
        move |event: Event<'_>| {
            if let Event::Started { job } | Event::ResumingJob { job, .. } = &event
                && let Some(known) = known.take()
            {
                // Fails only if nobody waits for the job any more.
                let _ = known.send((*job).clone());
            }
            stopwatch.event(&event);
            observer(event);
        }
    }

    fn running(&self, job: &JobId) -> ItemSummary {
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
