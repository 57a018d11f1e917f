//! One attempt of one export.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::Instant;
use tulip_archive::core::Timestamp;
use tulip_archive::{Admission, Event, ExportError, JobId};

use crate::engine::Engine;
use crate::queue::{Queued, Tries};
use crate::{Item, ItemError, ItemReport};

/// Follows one attempt.
pub(crate) type Observer = Box<dyn FnMut(Event<'_>) + Send>;

/// An attempt that is to be made.
pub(crate) struct Attempt {
    item: Item,
    tries: Tries,
    job: Option<JobId>,
    end: BoxFuture<'static, ()>,
}

/// An attempt that was made. It holds its turns until it is dropped.
pub(crate) struct Ended {
    item: Item,
    tries: Tries,
    result: Result<tulip_archive::Outcome, ExportError>,
    turns: Arc<dyn Admission>,
}

impl Attempt {
    pub(crate) fn new(queued: Queued, engine: &Engine) -> Self {
        let (mut tries, job) = match queued.earlier {
            Some(earlier) => (earlier.tries, earlier.job),
            None => {
                let tries = Tries {
                    attempts: 0,
                    started: (Timestamp::now(), Instant::now()),
                    stopwatch: engine.stopwatch(),
                };
                (tries, None)
            }
        };
        tries.attempts += 1;
        Self {
            end: engine.end_of(tries.started.1).boxed(),
            item: queued.item,
            tries,
            job,
        }
    }

    pub(crate) async fn run(self, mut observer: Observer, turns: Arc<dyn Admission>) -> Ended {
        let stopwatch = self.tries.stopwatch.clone();
        let observer = move |event: Event<'_>| {
            stopwatch.event(&event);
            observer(event);
        };
        let export = self.item.export(self.job.as_ref());
        let export = export.on_event(observer).admission(turns.clone());
        Ended {
            result: export.until(self.end).await,
            item: self.item,
            tries: self.tries,
            turns,
        }
    }
}

impl Ended {
    pub(crate) fn into_parts(self) -> (Item, Tries, ItemReport, Arc<dyn Admission>) {
        let report = ItemReport {
            source: self.item.source.clone(),
            result: self.result.map_err(ItemError::Failed),
            started: Some(self.tries.started.0),
            attempts: self.tries.attempts,
            ended: Timestamp::now(),
            measured: self.tries.stopwatch.read(),
            remembered: self.item.is_remembered(),
        };
        (self.item, self.tries, report, self.turns)
    }
}
