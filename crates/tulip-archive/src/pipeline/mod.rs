//! One export as a pipeline of values: each stage consumes what the one before has made.
//!
//! ```text
//! plan → start → wait → open → transfer → commit → finalize
//! Plan   Started  Ready  Transfer  Transferred  Committed  Outcome
//! ```
//!
//! What is remembered for another run is [`Recovery`]'s alone; a stage tells it what it is about
//! to do, and what it has done.

mod commit;
mod finalize;
mod open;
mod plan;
mod start;
mod transfer;
mod wait;

use tulip_core::sink::Metadata;
use tulip_core::{JobId, ObjectKey};

use crate::cancellation::Cancellation;
use crate::exporter::{Exporter, Shared};
use crate::recovery::Recovery;
use crate::state::Identity;
use crate::{Event, ExportError, Outcome, Source};

use commit::Commit;
use plan::Planned;
use transfer::Moved;

/// What all stages share.
pub(crate) struct Context {
    pub(crate) exporter: Exporter,
    pub(crate) source: Source,
    pub(crate) observer: Box<dyn FnMut(Event<'_>) + Send>,
}

impl Context {
    fn setup(&self) -> &Shared {
        &self.exporter.shared
    }

    pub(crate) fn emit(&mut self, event: Event<'_>) {
        (self.observer)(event);
    }

    /// What is kept beside the object and its receipt, by stores that can.
    fn metadata(&self, job: &JobId) -> Metadata {
        let mut metadata = Metadata::from([("tulip-job".to_owned(), job.to_string())]);
        if let Some(machine) = self.source.known_machine() {
            metadata.insert("tulip-machine".to_owned(), machine.to_string());
        }
        metadata
    }

    /// The outcome where an object is there and stays.
    async fn skipped(&mut self, key: &ObjectKey) -> Outcome {
        let sink = &self.exporter.shared.sink;
        let receipt = sink.lookup(&key.receipt()).await;
        let outcome = Outcome::Skipped {
            has_receipt: matches!(receipt, Ok(Some(_))),
            location: sink.location(key),
            key: key.clone(),
        };
        self.emit(Event::Skipped { key });
        outcome
    }
}

/// Runs one export.
pub(crate) async fn run(
    mut cx: Context,
    mut cancellation: Cancellation,
    resumes: Option<Identity>,
) -> Result<Outcome, ExportError> {
    // Stages are boxed: while thousands of jobs are waited for, the others take no memory.
    let mut recovery = Box::pin(Recovery::open(&mut cx, resumes)).await?;
    let result = stages(&mut cx, &mut cancellation, &mut recovery).await;
    let result = result.map_err(|error| error.with_job(recovery.job()));
    let sink = cx.exporter.shared.sink.clone();
    Box::pin(recovery.settle(sink.as_ref(), &result)).await;
    result
}

async fn stages(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
) -> Result<Outcome, ExportError> {
    let planned = Box::pin(cancellation.guard(plan::plan(cx, recovery))).await?;
    let plan = match planned {
        Planned::Export(plan) => *plan,
        Planned::Done(outcome) => return Ok(outcome),
    };
    let started = Box::pin(start::start(cx, cancellation, recovery, plan)).await?;
    let job = started.job.clone();
    let finished = finish(cx, cancellation, recovery, started).await;
    finished.map_err(|error| error.with_job(Some(&job)))
}

/// From the started job to the outcome.
async fn finish(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    started: start::Started,
) -> Result<Outcome, ExportError> {
    if let Some(outcome) = Box::pin(cancellation.guard(plan::check_key(cx, &started))).await? {
        return Ok(outcome);
    }
    let ready = cancellation.guard(wait::wait(cx, started)).await?;
    let moved = Box::pin(transfer::transfer(cx, cancellation, recovery, ready)).await?;
    let transferred = match moved {
        Moved::Whole(transferred) => *transferred,
        Moved::Skipped(outcome) => return Ok(outcome),
    };
    match Box::pin(commit::commit(cx, recovery, transferred)).await? {
        Commit::Stored(committed) => Box::pin(finalize::finalize(cx, recovery, *committed)).await,
        Commit::Skipped(outcome) => Ok(outcome),
    }
}
