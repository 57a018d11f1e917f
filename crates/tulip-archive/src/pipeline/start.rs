//! The job: a known one, or one that is started here.

use tokio::time::Instant;
use tracing::info;
use tulip_core::{JobId, MachineId, ObjectKey};
use tulip_http::StartAttempts;

use super::plan::{Plan, already_there};
use crate::admission::Permit;
use crate::cancellation::{Cancellation, Graced};
use crate::context::Context;
use crate::recovery::Recovery;
use crate::source::Start;
use crate::template::Field;
use crate::{Advice, Event, ExportError, ExportErrorKind, Outcome};

/// A job that is running or complete.
pub(crate) struct Started {
    pub(super) plan: Plan,
    pub(super) job: JobId,
    pub(super) key: ObjectKey,
}

pub(super) async fn start(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    plan: Plan,
) -> Result<Started, ExportError> {
    let job = match (&plan.job, &cx.source.start) {
        (Some(job), _) | (None, Start::Job(job)) => job.clone(),
        (None, Start::Machine(machine)) => {
            let machine = machine.clone();
            start_archive(cx, cancellation, recovery, &machine).await?
        }
    };
    let key = plan.key(cx, Some(&job));
    let key = key.map_err(|error| error.with_job(Some(&job)))?;
    Ok(Started { plan, job, key })
}

/// Looks for an existing object if its key was unknown until the job was started.
pub(super) async fn check_key(
    cx: &mut Context,
    started: &Started,
) -> Result<Option<Outcome>, ExportError> {
    let plan = &started.plan;
    match plan.template.uses(Field::Job) && plan.job.is_none() {
        true => already_there(cx, plan.capabilities, &started.key).await,
        false => Ok(None),
    }
}

/// Starts an archive. The request is recorded before it is sent, and the record is undone if the
/// request certainly started nothing. A run after a lost answer, or after this process has died,
/// must not start another archive.
async fn start_archive(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    machine: &MachineId,
) -> Result<JobId, ExportError> {
    let mut turn = cancellation.guard(turn_to_start(cx)).await?;
    let limit = cx.setup.poll.limit();
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let client = cx.setup.client.with_deadline(deadline);
    let mut attempts = client.start_attempts(machine);
    loop {
        let ready = async { attempts.ready().await.map_err(not_started) };
        cancellation.guard(ready).await?;
        recovery.start_requested().await?;
        match cancellation.grace(attempt(recovery, &mut attempts)).await {
            Graced::Done(Ok(None)) => {
                cx.emit(Event::StartRefused);
                // Release the permit first: the next attempt must not wait for this one's.
                drop(turn);
                turn = cancellation.guard(turn_to_start(cx)).await?;
            }
            Graced::Done(Ok(Some(job))) => {
                info!(%job, "started job");
                cx.emit(Event::Started { job: &job });
                return Ok(job);
            }
            Graced::Done(Err(error)) => return Err(error),
            Graced::DoneLate(Ok(job), reason) => {
                return Err(reason.error().with_job(job.as_ref()));
            }
            Graced::DoneLate(Err(error), _) if error.kind() == ExportErrorKind::StartUnknown => {
                return Err(error);
            }
            Graced::DoneLate(Err(_), reason) => return Err(reason.error()),
            Graced::Dropped(reason) if !attempts.may_have_been_sent() => {
                recovery.start_refused().await?;
                return Err(reason.error());
            }
            Graced::Dropped(_) => {
                return Err(unknown("the export was cancelled before Tulip answered"));
            }
        }
    }
}

/// Waits for the turn to send a start.
async fn turn_to_start(cx: &mut Context) -> Result<Option<Permit>, ExportError> {
    Ok(cx.turn_to_start().await)
}

/// Sends one start and records the result.
async fn attempt(
    recovery: &mut Recovery,
    attempts: &mut StartAttempts,
) -> Result<Option<JobId>, ExportError> {
    match attempts.send().await {
        Ok(Some(started)) => {
            recovery.start_answered(started.id.clone()).await?;
            Ok(Some(started.id))
        }
        Ok(None) => {
            recovery.start_refused().await?;
            Ok(None)
        }
        Err(error) => {
            if !error.is_outcome_unknown() {
                recovery.start_refused().await?;
            }
            Err(not_started(error))
        }
    }
}

fn not_started(error: tulip_http::Error) -> ExportError {
    let error = ExportError::api("could not start archive", error);
    match error.kind() {
        ExportErrorKind::StartUnknown => error.with_advice(Advice::DiscardStart),
        _ => error,
    }
}

fn unknown(why: &str) -> ExportError {
    let what = format!("it is not known whether the archive was started: {why}");
    ExportError::new(ExportErrorKind::StartUnknown, what).with_advice(Advice::DiscardStart)
}
