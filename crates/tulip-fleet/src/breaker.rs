//! Ends a run early, once its first exports show that all others would fail too.

use tulip_archive::{ExportError, ExportErrorKind};

use crate::{ItemReport, NotStarted, StopPolicy};

/// How many exports must fail in the same way, without a success before, to end a run.
const FAILURES_TO_OPEN: usize = 5;

/// Stops a run whose first exports all fail in the same way, by default the first five. One
/// success, or one failure of another kind, shows that failures are specific to a machine: from
/// then on, nothing stops the run.
#[derive(Debug)]
pub struct CircuitBreaker {
    failures_to_open: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Untried,
    Failing {
        cause: Cause,
        failures: usize,
    },
    /// The exports do not all fail in the same way.
    Proven,
}

/// The cause of a failure. Failures with equal causes count as the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    kind: ExportErrorKind,
    /// What exactly was refused, if the kind alone does not say.
    detail: Option<String>,
}

impl Cause {
    /// Returns the cause of a failure, or `None` if it says nothing about other exports: an
    /// existing object, an unusable name, an unknown job.
    fn of(error: &ExportError) -> Option<Self> {
        let detail = error.http_error().and_then(|error| {
            let status = error.status()?;
            Some(format!(
                "{status} {}",
                error.error_code().unwrap_or_default()
            ))
        });
        Self::new(error.kind(), detail)
    }

    fn new(kind: ExportErrorKind, detail: Option<String>) -> Option<Self> {
        use ExportErrorKind as Kind;
        match kind {
            Kind::InvalidRequest
            | Kind::NotFound
            | Kind::AlreadyExists
            | Kind::AlreadyRunning
            | Kind::NothingToResume
            | Kind::Fenced
            | Kind::Interrupted => None,
            Kind::PermissionDenied => Some(Self { kind, detail }),
            _ => Some(Self { kind, detail: None }),
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::new(FAILURES_TO_OPEN)
    }
}

impl StopPolicy for CircuitBreaker {
    fn record(&mut self, report: &ItemReport) {
        match report.failure() {
            None if report.result.is_ok() => self.record_success(),
            None => {}
            Some(error) => {
                if let Some(cause) = Cause::of(error) {
                    self.record_failure(cause);
                }
            }
        }
    }

    fn stop(&self) -> Option<NotStarted> {
        let (kind, failures) = (self.open()?.kind, self.failures_to_open);
        let reason = format!(
            "not started: the first {failures} exports all failed in the same way ({kind})"
        );
        Some(NotStarted::new(kind, reason))
    }

    fn hold(&self, retrying: usize) -> bool {
        !matches!(self.state, State::Proven) && retrying >= self.failures_to_open
    }
}

impl CircuitBreaker {
    /// Creates a breaker that stops a run whose first `failures` exports all fail in the same way;
    /// 0 counts as 1.
    #[must_use]
    pub fn new(failures: usize) -> Self {
        Self {
            failures_to_open: failures.max(1),
            state: State::Untried,
        }
    }

    fn record_success(&mut self) {
        self.state = State::Proven;
    }

    fn record_failure(&mut self, new: Cause) {
        self.state = match std::mem::replace(&mut self.state, State::Proven) {
            State::Untried => State::Failing {
                cause: new,
                failures: 1,
            },
            State::Failing { cause, failures } if cause == new => State::Failing {
                cause,
                failures: failures + 1,
            },
            State::Failing { .. } | State::Proven => State::Proven,
        };
    }

    /// Returns the cause that every export so far has failed with, if it ends the run.
    fn open(&self) -> Option<&Cause> {
        match &self.state {
            State::Failing { cause, failures } if *failures >= self.failures_to_open => Some(cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(kind: ExportErrorKind, detail: &str) -> Cause {
        Cause::new(kind, Some(detail.to_owned())).unwrap()
    }

    fn after(causes: impl IntoIterator<Item = Cause>) -> CircuitBreaker {
        let mut breaker = CircuitBreaker::default();
        for cause in causes {
            breaker.record_failure(cause);
        }
        breaker
    }

    #[test]
    fn the_same_failure_of_the_first_several_ends_a_run() {
        let full = cause(ExportErrorKind::StoreFull, "");
        let mut breaker = after(vec![full.clone(); FAILURES_TO_OPEN - 1]);
        assert_eq!(breaker.open(), None);
        breaker.record_failure(full.clone());
        assert_eq!(breaker.open(), Some(&full));
    }

    #[test]
    fn one_success_keeps_a_run_going_whatever_comes_later() {
        let full = cause(ExportErrorKind::StoreFull, "");
        let mut breaker = CircuitBreaker::default();
        breaker.record_success();
        for _ in 0..3 * FAILURES_TO_OPEN {
            breaker.record_failure(full.clone());
        }
        assert_eq!(breaker.open(), None);
    }

    #[test]
    fn a_success_of_an_export_that_was_under_way_closes_it_again() {
        let mut breaker = after(vec![
            cause(ExportErrorKind::StoreFull, "");
            FAILURES_TO_OPEN
        ]);
        assert!(breaker.open().is_some());
        breaker.record_success();
        assert_eq!(breaker.open(), None);
    }

    #[test]
    fn until_one_has_succeeded_few_exports_may_wait_to_be_tried_again() {
        let mut breaker = CircuitBreaker::default();
        assert!(!breaker.hold(FAILURES_TO_OPEN - 1));
        assert!(breaker.hold(FAILURES_TO_OPEN));
        breaker.record_success();
        assert!(!breaker.hold(1000));
    }

    #[test]
    fn failures_of_different_kinds_are_the_machines_own() {
        let mut causes = vec![cause(ExportErrorKind::StoreFull, ""); FAILURES_TO_OPEN];
        causes.insert(1, cause(ExportErrorKind::Download, ""));
        assert_eq!(after(causes).open(), None);
    }

    #[test]
    fn refused_permissions_are_the_same_only_for_the_same_reason() {
        let scope = || cause(ExportErrorKind::PermissionDenied, "403 Forbidden");
        let mut causes = vec![scope(); FAILURES_TO_OPEN];
        assert!(after(causes.clone()).open().is_some());
        causes[2] = cause(ExportErrorKind::PermissionDenied, "401 Unauthorized");
        assert_eq!(after(causes).open(), None);
    }

    #[test]
    fn what_is_about_one_object_or_job_says_nothing_about_others() {
        for kind in [
            ExportErrorKind::AlreadyExists,
            ExportErrorKind::NotFound,
            ExportErrorKind::InvalidRequest,
            ExportErrorKind::AlreadyRunning,
            ExportErrorKind::Fenced,
            ExportErrorKind::Interrupted,
        ] {
            assert_eq!(Cause::new(kind, None), None, "{kind}");
        }
    }
}
