//! The six ways in which an export of a run ends.

use std::fmt;

use tulip_archive::{ExportError, ExportErrorKind};

use crate::{Measured, Phase};

/// How an export of a run ended. Every export ends in exactly one of these ways.
///
/// The [`ExportErrorKind`] of the report's error says what exactly went wrong. The outcome says how
/// far the export got, and so what a retry has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ItemOutcome {
    /// The archive is stored, with its receipt.
    Stored,
    /// Nothing had to be done: the archive of this job was already stored, or an existing object
    /// was kept.
    Unchanged,
    /// No job was started. A retry starts one.
    NotStarted,
    /// Tulip was asked to start a job, and it is not known whether it did. No other start is sent
    /// for an hour.
    StartUnknown,
    /// A job was started and gave no archive: it failed, was not complete by a deadline, or its
    /// status could not be read.
    FailedAtTulip,
    /// The job gave an archive, but it is not stored: it could not be downloaded, was incomplete,
    /// or the store failed. Also if the export was interrupted after its job was started, or
    /// reached a time limit after its job was complete.
    FailedToStore,
}

/// Every outcome with its stable name.
const NAMES: [(ItemOutcome, &str); 6] = [
    (ItemOutcome::Stored, "stored"),
    (ItemOutcome::Unchanged, "unchanged"),
    (ItemOutcome::NotStarted, "not_started"),
    (ItemOutcome::StartUnknown, "start_unknown"),
    (ItemOutcome::FailedAtTulip, "failed_at_tulip"),
    (ItemOutcome::FailedToStore, "failed_to_store"),
];

impl ItemOutcome {
    /// Returns every outcome, for tables and their tests.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(outcome, _)| *outcome)
    }

    /// Returns the stable name in lower case, for example `failed_at_tulip`, used by manifests and
    /// ledgers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = NAMES.iter().find(|(outcome, _)| *outcome == self);
        found.map_or("other", |(_, name)| *name)
    }

    /// Returns the outcome with this stable name, or `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(outcome, _)| *outcome)
    }

    /// Whether the machine's archive is at the target: stored or unchanged.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Stored | Self::Unchanged)
    }

    pub(crate) fn of_success(done: &tulip_archive::Outcome) -> Self {
        match done {
            tulip_archive::Outcome::Exported { .. } => Self::Stored,
            _ => Self::Unchanged,
        }
    }

    pub(crate) fn of_failure(error: &ExportError, measured: &Measured) -> Self {
        let last = measured.phases.last().map(|span| span.phase);
        Self::of_kind(error.kind(), error.job().is_some(), last)
    }

    fn of_kind(kind: ExportErrorKind, has_job: bool, last: Option<Phase>) -> Self {
        use ExportErrorKind as Kind;
        match kind {
            Kind::StartUnknown => Self::StartUnknown,
            _ if !has_job => Self::NotStarted,
            Kind::DeadlineExceeded
                if matches!(
                    last,
                    Some(Phase::WaitingToDownload | Phase::Downloading | Phase::Storing)
                ) =>
            {
                Self::FailedToStore
            }
            Kind::JobFailed
            | Kind::NotFound
            | Kind::PermissionDenied
            | Kind::DeadlineExceeded
            | Kind::Api => Self::FailedAtTulip,
            _ => Self::FailedToStore,
        }
    }
}

impl fmt::Display for ItemOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_outcomes() {
        for outcome in ItemOutcome::all() {
            assert_eq!(ItemOutcome::from_name(outcome.as_str()), Some(outcome));
        }
        assert_eq!(ItemOutcome::from_name("exported"), None);
    }

    #[test]
    fn without_a_job_nothing_was_started_unless_that_is_not_known() {
        for kind in ExportErrorKind::all() {
            let expected = match kind {
                ExportErrorKind::StartUnknown => ItemOutcome::StartUnknown,
                _ => ItemOutcome::NotStarted,
            };
            assert_eq!(ItemOutcome::of_kind(kind, false, None), expected, "{kind}");
        }
    }

    #[test]
    fn with_a_job_a_failure_is_tulips_or_the_stores_and_never_a_success() {
        for kind in ExportErrorKind::all() {
            let outcome = ItemOutcome::of_kind(kind, true, None);
            assert!(!outcome.is_success(), "{kind}");
            assert_ne!(outcome, ItemOutcome::NotStarted, "{kind}");
        }
        let of = |kind| ItemOutcome::of_kind(kind, true, None);
        assert_eq!(of(ExportErrorKind::JobFailed), ItemOutcome::FailedAtTulip);
        assert_eq!(of(ExportErrorKind::StoreFull), ItemOutcome::FailedToStore);
        assert_eq!(
            of(ExportErrorKind::IncompleteArchive),
            ItemOutcome::FailedToStore
        );
    }

    #[test]
    fn a_deadline_is_tulips_until_the_job_is_complete() {
        for phase in Phase::all() {
            let expected = match phase {
                Phase::WaitingToDownload | Phase::Downloading | Phase::Storing => {
                    ItemOutcome::FailedToStore
                }
                _ => ItemOutcome::FailedAtTulip,
            };
            let outcome =
                ItemOutcome::of_kind(ExportErrorKind::DeadlineExceeded, true, Some(phase));
            assert_eq!(outcome, expected, "{phase}");
        }
    }
}
