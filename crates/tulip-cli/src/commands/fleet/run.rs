//! The loop that runs the exports of a plan.

use tokio::task::JoinSet;

use super::breaker::{CircuitBreaker, FAILURES_TO_OPEN};
use super::outcome::{Ended, Error, NotStarted, Outcomes};
use super::plan::{Plan, Planned};
use crate::failure::Failure;
use crate::output::plain;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// Runs the exports of a plan, at most `concurrency` at once, and reports each as it ends. One
/// that fails does not stop the others, unless the first ones all fail in the same way: then no
/// more are started, which spares Tulip the jobs, and each that was not is reported too.
pub(crate) async fn run(
    plan: Plan,
    concurrency: usize,
    progress: &Progress,
    shutdown: &Shutdown,
    mut report: impl FnMut(&Ended) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Plan { planned, ended } = plan;
    let all = progress.all(planned.len());
    let mut outcomes = Outcomes::default();
    // A reader that has left must not cost the exports that are under way.
    let mut unreported = None;
    let mut note = |ended: &Ended| {
        outcomes.record(ended);
        if unreported.is_none() {
            unreported = report(ended).err();
        }
    };
    ended.iter().for_each(&mut note);
    let mut waiting = planned.into_iter();
    let mut running = JoinSet::new();
    let mut breaker = CircuitBreaker::default();
    loop {
        while running.len() < concurrency && breaker.open().is_none() && !shutdown.is_asked() {
            let Some(planned) = waiting.next() else {
                break;
            };
            running.spawn(one(planned, progress, shutdown));
        }
        let ended: Ended = match running.join_next().await {
            Some(Ok(ended)) => ended,
            // Nothing cancels one, so it has panicked.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        };
        all.one_more(ended.result.is_err());
        breaker.record(ended.failure());
        note(&ended);
    }
    drop(all);
    let left = waiting.len();
    let why = match breaker.open() {
        Some(cause) if !shutdown.is_asked() => NotStarted {
            kind: cause.kind,
            reason: format!(
                "not started: the first {FAILURES_TO_OPEN} exports all failed in the same way \
                 ({})",
                cause.kind
            ),
        },
        _ => NotStarted::interrupted(),
    };
    for planned in waiting {
        note(&Ended::not_started(planned.source, why.clone()));
    }
    if left > 0 && !shutdown.is_asked() {
        progress.warn(&format!("{left} exports were {}", why.reason));
    }
    if outcomes.to_continue > 0 {
        progress.hint("to continue, run the same command again, or `tulip resume`");
    }
    match outcomes.code() {
        _ if shutdown.is_asked() && (left > 0 || outcomes.has_interrupted()) => {
            Err(Failure::interrupted())
        }
        Some(code) => Err(Failure::reported(code)),
        None => unreported.map_or(Ok(()), Err),
    }
}

/// Runs an export, as a task of its own, so that several use all processors.
fn one(
    planned: Planned,
    progress: &Progress,
    shutdown: &Shutdown,
) -> impl Future<Output = Ended> + Send + use<> {
    let Planned {
        source,
        export,
        remembered,
    } = planned;
    let name = source
        .machine_name()
        .map_or_else(|| source.to_string(), plain);
    let bar = progress.export(&name);
    let running = export
        .on_event(move |event| bar.show(&event))
        .until(shutdown.wait())
        .into_future();
    async move {
        Ended {
            source,
            remembered,
            result: running.await.map_err(Error::Failed),
        }
    }
}
