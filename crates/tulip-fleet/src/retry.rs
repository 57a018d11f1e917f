//! Policies for which exports of a run are tried again, and when.

use std::fmt;
use std::time::Duration;

use tulip_archive::{ExportError, ExportErrorKind, JobId, Source};

use crate::ItemOutcome;

/// How often an export is tried, including the first time.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt.
const COOLDOWN: Duration = Duration::from_secs(60);
/// The longest pause, however often the export has failed.
const MAX_COOLDOWN: Duration = Duration::from_secs(15 * 60);

/// The pause before the first probe of a store that is down.
const FIRST_PROBE: Duration = Duration::from_secs(5);
/// The longest pause between two probes.
const MAX_PROBE_PAUSE: Duration = Duration::from_secs(60);
/// The number of probes before the run gives up, after about a quarter of an hour.
const PROBES: u32 = 18;

/// Decides which failed exports are tried again in the same run.
///
/// Another attempt is still not made if its pause would exceed the time limit of the export or of
/// the run, or if the run ends early.
pub trait ItemRetryPolicy: fmt::Debug + Send {
    /// Returns the pause before the export is tried again, or `None` to leave it as it ended. After
    /// a pause of zero, it is tried before any other export.
    fn retry(&mut self, failed: &FailedAttempt<'_>) -> Option<Duration>;

    /// Returns the pause before a store that is down is probed, after this many failed probes.
    /// `None` gives up the store, which ends the run; after 0 failed probes, `None` means not to
    /// wait for the store. While the store is down, the run takes up no export, and starts no job
    /// and no download. Apart from transfers under way, it sends the store only this probe.
    fn probe_pause(&mut self, failed_probes: u32) -> Option<Duration>;
}

/// A failed attempt of an export.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FailedAttempt<'a> {
    /// The source of the export.
    pub source: &'a Source,
    /// How the export would end without another attempt.
    pub outcome: ItemOutcome,
    /// The error of the attempt.
    pub error: &'a ExportError,
    /// How often the export was tried, including this attempt.
    pub attempts: u32,
    /// The job that the next attempt would use; if `None`, it starts another one.
    pub job: Option<&'a JobId>,
}

/// The next attempt after a failed one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Retry<'a> {
    /// The failed attempt.
    pub failed: FailedAttempt<'a>,
    /// The pause before the next attempt. If the store was down, the attempt also waits for the
    /// store.
    pub after: Duration,
}

/// Retries exports according to their outcome, with at most three attempts each:
///
/// | outcome | cause | next attempt | its job |
/// |---|---|---|---|
/// | start unknown | | none: another start could be one too many | |
/// | not started | Tulip could not be reached | at once | a new one |
/// | failed at Tulip | the job failed | after one minute, then two | a new one |
/// | failed at Tulip | its status could not be read | after one minute, then two | the same |
/// | failed to store | the download failed | after one minute, then two | the same |
/// | failed to store | the object was damaged on its way | after one minute, then two | the same |
/// | failed to store | the archive was damaged | after one minute, then two | a new one |
/// | any other | the store was down | once it is back | the same, if any |
///
/// Failures that need human action are not retried: refused permissions, a full store, an invalid
/// option. Nor is a job that was not complete by its deadline, or an export that another process is
/// working on.
#[derive(Debug, Clone)]
pub struct RetryByOutcome {
    attempts: u32,
    cooldown: Duration,
}

impl Default for RetryByOutcome {
    fn default() -> Self {
        Self {
            attempts: ATTEMPTS,
            cooldown: COOLDOWN,
        }
    }
}

impl RetryByOutcome {
    /// Tries each export at most this often, including the first time; 0 counts as 1. With 1, the
    /// run does not wait for a store that is down.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Pauses this long before the second attempt, and twice as long before each further one, up to
    /// a quarter of an hour.
    #[must_use]
    pub fn cooldown(mut self, pause: Duration) -> Self {
        self.cooldown = pause;
        self
    }

    fn pause(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let longest = MAX_COOLDOWN.max(self.cooldown);
        self.cooldown.saturating_mul(doubled).min(longest)
    }
}

impl ItemRetryPolicy for RetryByOutcome {
    fn retry(&mut self, failed: &FailedAttempt<'_>) -> Option<Duration> {
        let (kind, can_help) = (failed.error.kind(), failed.error.is_retryable());
        if failed.attempts >= self.attempts {
            return None;
        }
        when(failed.outcome, kind, can_help).map(|when| match when {
            When::AtOnce => Duration::ZERO,
            When::Cooled => self.pause(failed.attempts),
        })
    }

    fn probe_pause(&mut self, failed_probes: u32) -> Option<Duration> {
        let doubled = 2_u32.saturating_pow(failed_probes.min(16));
        let pause = FIRST_PROBE.saturating_mul(doubled).min(MAX_PROBE_PAUSE);
        // If nothing is tried again, nothing waits for the store either.
        (self.attempts > 1 && failed_probes < PROBES).then_some(pause)
    }
}

/// When an export is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    AtOnce,
    Cooled,
}

fn when(outcome: ItemOutcome, kind: ExportErrorKind, can_help: bool) -> Option<When> {
    use ExportErrorKind as Kind;
    match (outcome, kind) {
        (ItemOutcome::StartUnknown | ItemOutcome::Stored | ItemOutcome::Unchanged, _) => None,
        // Another job can succeed, though this one never will.
        (_, Kind::JobFailed) => Some(When::Cooled),
        _ if !can_help => None,
        // The store was down: the export waits for it, and for nothing else.
        (_, Kind::StoreUnavailable) => Some(When::AtOnce),
        (ItemOutcome::NotStarted, Kind::Api) => Some(When::AtOnce),
        (
            _,
            Kind::Api | Kind::Download | Kind::NotAnArchive | Kind::IncompleteArchive | Kind::Store,
        ) => Some(When::Cooled),
        // The caller's deadline, another writer, the end of the run.
        _ => None,
    }
}

/// Tries every export once.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverRetryItem;

impl ItemRetryPolicy for NeverRetryItem {
    fn retry(&mut self, _: &FailedAttempt<'_>) -> Option<Duration> {
        None
    }

    fn probe_pause(&mut self, _: u32) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_whose_outcome_is_not_known_is_never_followed_by_another() {
        for kind in ExportErrorKind::all() {
            for can_help in [false, true] {
                assert_eq!(
                    when(ItemOutcome::StartUnknown, kind, can_help),
                    None,
                    "{kind}"
                );
            }
        }
    }

    #[test]
    fn without_another_attempt_no_store_is_waited_for() {
        assert!(RetryByOutcome::default().probe_pause(0).is_some());
        assert_eq!(RetryByOutcome::default().attempts(1).probe_pause(0), None);
    }

    #[test]
    fn what_a_retry_cannot_mend_is_left_but_a_failed_job() {
        for kind in ExportErrorKind::all() {
            let expected = (kind == ExportErrorKind::JobFailed).then_some(When::Cooled);
            assert_eq!(
                when(ItemOutcome::FailedAtTulip, kind, false),
                expected,
                "{kind}"
            );
        }
    }

    #[test]
    fn attempts_come_as_the_outcome_asks_for() {
        use ExportErrorKind as Kind;
        for (outcome, kind, expected) in [
            (ItemOutcome::NotStarted, Kind::Api, Some(When::AtOnce)),
            (ItemOutcome::NotStarted, Kind::AlreadyRunning, None),
            (ItemOutcome::NotStarted, Kind::Interrupted, None),
            (ItemOutcome::FailedAtTulip, Kind::Api, Some(When::Cooled)),
            (ItemOutcome::FailedAtTulip, Kind::DeadlineExceeded, None),
            (
                ItemOutcome::FailedToStore,
                Kind::Download,
                Some(When::Cooled),
            ),
            (
                ItemOutcome::FailedToStore,
                Kind::IncompleteArchive,
                Some(When::Cooled),
            ),
            (
                ItemOutcome::FailedToStore,
                Kind::StoreUnavailable,
                Some(When::AtOnce),
            ),
            (ItemOutcome::FailedToStore, Kind::Store, Some(When::Cooled)),
            (ItemOutcome::FailedToStore, Kind::Conflict, None),
        ] {
            assert_eq!(when(outcome, kind, true), expected, "{outcome} {kind}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let policy = RetryByOutcome::default();
        let pauses = [1, 2, 3, 30, u32::MAX].map(|attempts| policy.pause(attempts).as_secs());
        assert_eq!(pauses, [60, 120, 240, 900, 900]);
        let hour = Duration::from_secs(3600);
        assert_eq!(policy.cooldown(hour).pause(5), hour);
    }

    #[test]
    fn a_store_is_probed_for_about_a_quarter_of_an_hour() {
        let mut policy = RetryByOutcome::default();
        let pauses: Vec<_> = (0..)
            .map_while(|failed| policy.probe_pause(failed))
            .collect();
        assert_eq!(pauses[..5], [5, 10, 20, 40, 60].map(Duration::from_secs));
        let total: Duration = pauses.iter().sum();
        assert_eq!(total.as_secs(), 75 + 14 * 60);
    }
}
