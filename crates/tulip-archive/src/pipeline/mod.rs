//! One export as a pipeline of values: each stage consumes the result of the previous one.
//!
//! ```text
//! plan → start   → wait  → transfer    → commit    → finalize
//! Plan   Started   Ready   Transferred   Committed   Outcome
//! ```
//!
//! Before that the sink is probed, and a receipt that an earlier run owes is written. Between start
//! and wait, the key that the job completes is looked up.
//!
//! Only [`Recovery`] remembers anything for another run; a stage reports to it what it is about to
//! do and what it has done.

mod commit;
mod finalize;
mod open;
mod plan;
mod start;
mod transfer;
mod wait;

use tracing::warn;

use crate::cancellation::Cancellation;
use crate::context::Context;
use crate::recovery::Recovery;
use crate::state::Identity;
use crate::{ExportError, ExportErrorKind, Outcome};

use commit::Commit;
use plan::Planned;
use transfer::Moved;

/// Runs one export.
pub(crate) async fn run(
    mut cx: Context,
    mut cancellation: Cancellation,
    resumes: Option<Identity>,
) -> Result<Outcome, ExportError> {
    // Futures that `guard` does not box are boxed here, for the same reason.
    let mut recovery = Box::pin(Recovery::open(&mut cx, resumes)).await?;
    let result = stages(&mut cx, &mut cancellation, &mut recovery).await;
    let result = result.map_err(|error| error.with_job(recovery.job()));
    let sink = cx.setup.sink.clone();
    Box::pin(recovery.close(sink.as_ref(), &result)).await;
    result
}

async fn stages(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
) -> Result<Outcome, ExportError> {
    let capabilities = cancellation.guard(plan::probe(cx)).await?;
    if let Some(receipt) = recovery.pending_receipt() {
        let finish = finalize::finish_receipt(cx, recovery, receipt);
        if let Some(outcome) = cancellation.guard(finish).await? {
            return Ok(outcome);
        }
    }
    loop {
        let planning = plan::plan(cx, recovery, capabilities);
        let plan = match cancellation.guard(planning).await? {
            Planned::Export(plan) => *plan,
            Planned::Done(outcome) => return Ok(outcome),
        };
        let started = Box::pin(start::start(cx, cancellation, recovery, plan)).await?;
        let job = started.job.clone();
        match finish(cx, cancellation, recovery, started).await {
            Err(error) if is_gone(cx, recovery, &error) => {
                warn!(%job, "Tulip no longer knows job {job}, starting another");
                recovery.job_is_gone().await?;
            }
            finished => return finished.map_err(|error| error.with_job(Some(&job))),
        }
    }
}

/// Whether Tulip no longer knows the job of an earlier run, so that another must be started.
fn is_gone(cx: &Context, recovery: &Recovery, error: &ExportError) -> bool {
    let is_unknown = error.kind() == ExportErrorKind::NotFound;
    is_unknown && recovery.is_resumed() && cx.source.known_job().is_none()
}

/// From the started job to the outcome.
async fn finish(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    started: start::Started,
) -> Result<Outcome, ExportError> {
    if let Some(outcome) = cancellation.guard(start::check_key(cx, &started)).await? {
        return Ok(outcome);
    }
    let ready = cancellation.guard(wait::wait(cx, started)).await?;
    let turn = async { Ok(cx.turn_to_download().await) };
    let _turn = cancellation.guard(turn).await?;
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
