//! A run of many exports: what the command prints, and its exit code.

use tulip_archive::Source;
use tulip_core::format_duration;
use tulip_fleet::{CollisionAdvice, ItemReport, PlanError, Retry, Run, Stopped};

use crate::failure::{Code, Failure, chain, code_of, named_once};
use crate::output::plain;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// The end of a run.
pub(crate) struct Ended {
    /// The result of the run, with its exit code.
    pub(crate) result: Result<(), Failure>,
    /// Why the run stopped early, if it did.
    pub(crate) stopped: Option<Stopped>,
}

/// Runs the exports of a plan and reports each as it ends.
pub(crate) async fn run(
    run: Run,
    progress: &Progress,
    shutdown: &Shutdown,
    mut report: impl FnMut(&ItemReport) -> Result<(), Failure>,
) -> Ended {
    let all = progress.all(run.remaining());
    let bars = progress.clone();
    let warnings = progress.clone();
    let mut run = run
        .until(shutdown.wait())
        .on_event(move |source| {
            let bar = bars.export(&name_of(source));
            move |event| bar.show(&event)
        })
        .on_retry(move |retry| warnings.warn(&retry_message(retry), None));
    let mut totals = Totals::default();
    // If the reader of stdout is gone, the exports under way must still finish.
    let mut unreported = None;
    while let Some(ended) = run.next().await {
        all.one_more(ended.result.is_err());
        totals.record(&ended);
        // Report each one even if stdout cannot be written: `report` may also record it.
        unreported = report(&ended).err().or(unreported);
    }
    drop(all);
    let stopped = run.stopped().cloned();
    let left = stopped.as_ref().filter(|stopped| stopped.left > 0);
    if let Some(stopped) = left.filter(|_| !shutdown.is_asked()) {
        progress.warn(
            &match stopped.left {
                1 => format!("1 export was {}", stopped.why),
                left => format!("{left} exports were {}", stopped.why),
            },
            None,
        );
    }
    if let Some(hint) = totals.hint(stopped.is_some() || shutdown.is_asked()) {
        progress.hint(hint);
    }
    let result = match overall_code(&totals.codes) {
        _ if shutdown.is_asked() && totals.codes.contains(&Some(Code::Interrupted)) => {
            Err(Failure::interrupted())
        }
        Some(code) => Err(Failure::reported(code)),
        None => unreported.map_or(Ok(()), Err),
    };
    Ended { result, stopped }
}

/// The message about a failed attempt: what failed, and when it is retried.
fn retry_message(retry: &Retry<'_>) -> String {
    let (failed, after) = (&retry.failed, retry.after);
    let message = named_once(&failed.source.to_string(), chain(failed.error));
    let when = match failed.error.sink_error() {
        Some(_) => "once the target is back".to_owned(),
        None if after.is_zero() => "at once".to_owned(),
        None => format!("in {}", format_duration(after)),
    };
    let next = failed.attempts.saturating_add(1);
    format!("{message}; trying again {when} (attempt {next})")
}

fn name_of(source: &Source) -> String {
    source
        .machine_name()
        .map_or_else(|| source.to_string(), plain)
}

/// The exit code of a single export; `None` if it succeeded.
pub(crate) fn code_of_report(report: &ItemReport) -> Option<Code> {
    let error = report.result.as_ref().err()?;
    Some(code_of(error.kind()))
}

/// Converts the error of a run that cannot be planned, with a hint in terms of the command line.
pub(crate) fn refused(error: PlanError) -> Failure {
    let found = match error {
        PlanError::Target(error) => return error.into(),
        PlanError::Collisions(found) => found,
        other => return Failure::other(other.to_string()),
    };
    let hint = match found.advice() {
        CollisionAdvice::AddJob => "put {job} into --name",
        CollisionAdvice::SameMachineName => {
            "the machines have the same name; put {machine}, the id, into --name as well: \
             --name '{machine_name}-{machine}.csv'"
        }
        CollisionAdvice::AddMachine => {
            "put {machine}, the id, into --name as well: --name '{machine_name}-{machine}.csv'"
        }
        _ => "put {machine}, {machine_name} or {job} into --name",
    };
    Failure::usage(found.to_string()).with_hint(hint)
}

/// Counts how the exports of a run have ended.
#[derive(Debug, Default)]
struct Totals {
    codes: Vec<Option<Code>>,
    /// Exports that another run can continue.
    resumable: usize,
}

impl Totals {
    fn record(&mut self, report: &ItemReport) {
        self.codes.push(code_of_report(report));
        // An error with advice of its own needs another option, not the same command.
        let has_advice = report
            .failure()
            .is_some_and(|error| error.advice().is_some());
        self.resumable += usize::from(report.is_resumable() && !has_advice);
    }

    /// How to continue. The same command continues a run that ended early; after a run that has
    /// tried every export, it would export all of them again.
    fn hint(&self, ended_early: bool) -> Option<&'static str> {
        match self.resumable {
            0 => None,
            _ if ended_early || self.codes.len() == 1 => {
                Some("to continue, run the same command again, or `tulip resume`")
            }
            _ => Some(
                "to retry what failed, run `tulip export --retry-failed` with the same target and \
                 --name, or `tulip resume`",
            ),
        }
    }
}

/// The exit code of a run whose exports end in `codes`, where `None` is a success: `None` if all
/// succeeded, 1 if only some did, otherwise the code that all have in common, or else 1.
pub(crate) fn overall_code(codes: &[Option<Code>]) -> Option<Code> {
    let mut failures = codes.iter().copied().flatten();
    let first = failures.next()?;
    match failures.all(|code| code == first) {
        true if !codes.contains(&None) => Some(first),
        _ => Some(Code::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_in_the_code_of_all_of_some_or_of_none() {
        assert_eq!(overall_code(&[]), None);
        assert_eq!(overall_code(&[None, None]), None);
        let (job, sink) = (Some(Code::Job), Some(Code::Sink));
        assert_eq!(overall_code(&[sink, sink]), sink);
        assert_eq!(overall_code(&[job, sink]), Some(Code::Other));
        assert_eq!(overall_code(&[None, job]), Some(Code::Other));
        assert_eq!(overall_code(&[job, None, sink]), Some(Code::Other));
    }
}
