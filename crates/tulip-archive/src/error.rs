//! Why an export failed.

use std::error::Error as StdError;
use std::fmt;

use tulip_core::sink::{RegistryError, SinkError, SinkErrorKind, SinkUrlError};
use tulip_core::{JobId, ResourceUrlError};

use crate::TemplateError;
use crate::poll::PollError;

/// The class of a failed export, for programs that react to failures.
///
/// [`ExportError::is_retryable`] says whether the same export can succeed later without any change.
/// Some classes are always or never retryable; for the others it depends on the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportErrorKind {
    /// The request cannot work: its name template, an option, or its target is invalid.
    InvalidRequest,
    /// Tulip refused the credentials, or they lack a permission.
    PermissionDenied,
    /// Tulip does not know the job or the machine.
    NotFound,
    /// The job failed at Tulip, or is complete without an archive that can be downloaded.
    JobFailed,
    /// The job was not complete by the deadline, or the caller ended the export because a time
    /// limit was reached. A job that was started continues at Tulip.
    DeadlineExceeded,
    /// Tulip was asked to start an archive, but it is unknown whether it did. No other start is
    /// sent automatically.
    StartUnknown,
    /// Tulip's API could not be reached, or gave an unexpected answer.
    Api,
    /// The archive could not be downloaded.
    Download,
    /// The download is not a CSV archive: an error document, a page, compressed data.
    NotAnArchive,
    /// The downloaded archive is not whole.
    IncompleteArchive,
    /// The archive has more bytes than [`max_bytes`](crate::ExporterBuilder::max_bytes) allows.
    TooLarge,
    /// The archive has no records but would replace one that has some; see
    /// [`allow_empty`](crate::ExporterBuilder::allow_empty).
    EmptyArchive,
    /// The object already exists and must not be replaced.
    AlreadyExists,
    /// The store refused access.
    StorePermissionDenied,
    /// The store has no space left, or a quota is used up.
    StoreFull,
    /// The store cannot be reached, or is overloaded.
    StoreUnavailable,
    /// The store failed in another way, or holds other bytes than were sent.
    Store,
    /// Another writer has replaced or removed the object since it was stored.
    Conflict,
    /// Another process is running the same export.
    AlreadyRunning,
    /// The export to resume is no longer incomplete: another process has finished or discarded it.
    NothingToResume,
    /// Another process took this one for dead, has taken over its export, and continues it.
    Fenced,
    /// The caller ended the export.
    Interrupted,
}

/// Whether a failed export can succeed later without any change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Always,
    Never,
    /// If the cause is retryable.
    Depends,
}

/// Every class with its stable name and whether a retry can help: the only place that defines both.
const KINDS: [(ExportErrorKind, &str, Retry); 22] = [
    (
        ExportErrorKind::InvalidRequest,
        "invalid_request",
        Retry::Never,
    ),
    (
        ExportErrorKind::PermissionDenied,
        "permission_denied",
        Retry::Never,
    ),
    (ExportErrorKind::NotFound, "not_found", Retry::Never),
    (ExportErrorKind::JobFailed, "job_failed", Retry::Never),
    (
        ExportErrorKind::DeadlineExceeded,
        "deadline_exceeded",
        Retry::Always,
    ),
    (ExportErrorKind::StartUnknown, "start_unknown", Retry::Never),
    (ExportErrorKind::Api, "api", Retry::Depends),
    (ExportErrorKind::Download, "download", Retry::Depends),
    (
        ExportErrorKind::NotAnArchive,
        "not_an_archive",
        Retry::Depends,
    ),
    (
        ExportErrorKind::IncompleteArchive,
        "incomplete_archive",
        Retry::Always,
    ),
    (ExportErrorKind::TooLarge, "too_large", Retry::Never),
    (ExportErrorKind::EmptyArchive, "empty_archive", Retry::Never),
    (
        ExportErrorKind::AlreadyExists,
        "already_exists",
        Retry::Never,
    ),
    (
        ExportErrorKind::StorePermissionDenied,
        "store_permission_denied",
        Retry::Never,
    ),
    (ExportErrorKind::StoreFull, "store_full", Retry::Never),
    (
        ExportErrorKind::StoreUnavailable,
        "store_unavailable",
        Retry::Always,
    ),
    (ExportErrorKind::Store, "store", Retry::Depends),
    (ExportErrorKind::Conflict, "conflict", Retry::Always),
    (
        ExportErrorKind::AlreadyRunning,
        "already_running",
        Retry::Always,
    ),
    (
        ExportErrorKind::NothingToResume,
        "nothing_to_resume",
        Retry::Never,
    ),
    (ExportErrorKind::Fenced, "fenced", Retry::Always),
    (ExportErrorKind::Interrupted, "interrupted", Retry::Always),
];

impl ExportErrorKind {
    /// Returns every class, for tables and their tests.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, ..)| *kind)
    }

    /// The stable, lower-case name of the class for programs and metrics, for example `store_full`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// Whether errors of this kind can be retryable.
    #[must_use]
    pub fn can_be_retryable(self) -> bool {
        self.entry().1 != Retry::Never
    }

    fn entry(self) -> (&'static str, Retry) {
        let found = KINDS.iter().find(|(kind, ..)| *kind == self);
        found.map_or(("other", Retry::Never), |(_, name, retry)| (*name, *retry))
    }

    /// Returns the class of a store's failure.
    fn of_store(kind: SinkErrorKind) -> Self {
        match kind {
            SinkErrorKind::AlreadyExists => Self::AlreadyExists,
            SinkErrorKind::PermissionDenied => Self::StorePermissionDenied,
            SinkErrorKind::StorageFull => Self::StoreFull,
            SinkErrorKind::Unavailable => Self::StoreUnavailable,
            _ => Self::Store,
        }
    }
}

impl fmt::Display for ExportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed export. Nothing new is visible at the object's key unless the message says so. After
/// [`Event::Committing`](crate::Event::Committing) it may be, if the store's answer was lost or
/// another process has taken over the export.
pub struct ExportError(Box<Inner>);

struct Inner {
    kind: ExportErrorKind,
    /// The source of the export: a job or a machine.
    source_name: String,
    job: Option<JobId>,
    message: String,
    retryable: bool,
    advice: Option<Advice>,
    cause: Option<Cause>,
}

/// The cause of a failed export.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Api(tulip_http::Error),
    #[error(transparent)]
    Sink(SinkError),
    #[error(transparent)]
    Resource(ResourceUrlError),
}

/// A remedy for a failed export, if it is a setting of the [`Exporter`](crate::Exporter).
///
/// `Display` names the method to call. A program with its own settings should name those instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// [`ExporterBuilder::max_bytes`](crate::ExporterBuilder::max_bytes).
    RaiseMaxBytes,
    /// [`ExporterBuilder::allow_empty`](crate::ExporterBuilder::allow_empty).
    AllowEmpty,
    /// [`ExporterBuilder::final_line_break`](crate::ExporterBuilder::final_line_break).
    AllowMissingFinalLineBreak,
    /// [`ExporterBuilder::ragged_records`](crate::ExporterBuilder::ragged_records).
    AllowRagged,
    /// [`IncompleteExport::discard`](crate::IncompleteExport::discard), if no archive was started
    /// after all.
    DiscardStart,
    /// Something else, in words.
    Other(&'static str),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RaiseMaxBytes => {
                "raise ExporterBuilder::max_bytes if the archive is as large as it should be"
            }
            Self::AllowEmpty => {
                "if the machine really has no records, allow it with ExporterBuilder::allow_empty"
            }
            Self::AllowMissingFinalLineBreak => {
                "if the archive is whole, allow it with ExporterBuilder::final_line_break"
            }
            Self::AllowRagged => {
                "if the archive is right as it is, allow it with ExporterBuilder::ragged_records"
            }
            Self::DiscardStart => {
                "look in Tulip: export the job by its id, or discard the incomplete export with \
                 IncompleteExport::discard to start another"
            }
            Self::Other(words) => words,
        })
    }
}

impl ExportError {
    pub(crate) fn new(kind: ExportErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            source_name: String::new(),
            job: None,
            message: message.into(),
            retryable: kind.entry().1 == Retry::Always,
            advice: None,
            cause: None,
        }))
    }

    pub(crate) fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    pub(crate) fn with_advice(mut self, advice: Advice) -> Self {
        self.0.advice = Some(advice);
        self
    }

    /// Adds the source of the export. Called once, by the outermost caller that knows it.
    pub(crate) fn of(mut self, source_name: String) -> Self {
        self.0.source_name = source_name;
        self
    }

    pub(crate) fn with_job(mut self, job: Option<&JobId>) -> Self {
        self.0.job = self.0.job.or_else(|| job.cloned());
        self
    }

    fn caused(mut self, retryable: bool, cause: Cause) -> Self {
        if self.0.kind.entry().1 == Retry::Depends {
            self.0.retryable = retryable;
        }
        self.0.cause = Some(cause);
        self
    }

    pub(crate) fn sink(what: impl Into<String>, error: SinkError) -> Self {
        let kind = ExportErrorKind::of_store(error.kind());
        Self::new(kind, what).caused(error.is_retryable(), Cause::Sink(error))
    }

    /// Returns the error for a target that cannot be used at all.
    pub(crate) fn target(error: SinkError) -> Self {
        let kind = match error.kind() {
            SinkErrorKind::InvalidTarget => ExportErrorKind::InvalidRequest,
            other => ExportErrorKind::of_store(other),
        };
        Self::new(kind, "cannot use the target").caused(error.is_retryable(), Cause::Sink(error))
    }

    pub(crate) fn api(what: impl Into<String>, error: tulip_http::Error) -> Self {
        let kind = match () {
            () if error.is_outcome_unknown() => ExportErrorKind::StartUnknown,
            () if error.is_permission_denied() => ExportErrorKind::PermissionDenied,
            () if error.is_not_found() => ExportErrorKind::NotFound,
            () => ExportErrorKind::Api,
        };
        Self::new(kind, what).caused(error.is_retryable(), Cause::Api(error))
    }

    pub(crate) fn download(error: tulip_http::Error) -> Self {
        use tulip_http::{Endpoint, ErrorKind as Http};
        if !matches!(error.endpoint(), Endpoint::Asset { .. }) {
            return Self::api("could not renew the download URL", error);
        }
        let retryable = error.is_retryable();
        let (kind, what, retryable) = match error.kind() {
            Http::NotAnArchive => (
                ExportErrorKind::NotAnArchive,
                "could not download archive",
                retryable,
            ),
            // A new export gets a new URL, so a refused one is worth a retry.
            kind => (
                ExportErrorKind::Download,
                "could not download archive",
                retryable || kind == Http::AssetRefused,
            ),
        };
        Self::new(kind, what).caused(retryable, Cause::Api(error))
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ExportErrorKind {
        self.0.kind
    }

    /// The job, if it was known. Unless the archive itself is bad, exporting this job again saves
    /// Tulip another one.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        self.0.job.as_ref()
    }

    /// Whether the same export can succeed later without any change.
    ///
    /// # What to do
    /// If it can, run the same export again after a pause: with a [`StateStore`](crate::StateStore)
    /// it continues where this one ended. If it cannot, [`ExportError::kind`] says who has to act.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The setting that would let this export succeed, if there is one.
    #[must_use]
    pub fn advice(&self) -> Option<&Advice> {
        self.0.advice.as_ref()
    }

    /// The error of Tulip's API or the archive's host, if one of them is the cause.
    #[must_use]
    pub fn http_error(&self) -> Option<&tulip_http::Error> {
        match &self.0.cause {
            Some(Cause::Api(error)) => Some(error),
            _ => None,
        }
    }

    /// The sink's error, if it is the cause.
    #[must_use]
    pub fn sink_error(&self) -> Option<&SinkError> {
        match &self.0.cause {
            Some(Cause::Sink(error)) => Some(error),
            _ => None,
        }
    }
}

/// Formats the error on one line, since a `main` that returns it prints it this way.
impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ExportError");
        shown.field("kind", &self.0.kind);
        shown.field("message", &self.to_string());
        if let Some(job) = &self.0.job {
            shown.field("job", &job.as_str());
        }
        if let Some(cause) = self.source() {
            shown.field("source", &cause);
        }
        shown.finish()
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.source_name.is_empty() {
            return f.write_str(&self.0.message);
        }
        write!(f, "{}: {}", self.0.source_name, self.0.message)
    }
}

impl StdError for ExportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_ref().map(|cause| match cause {
            Cause::Api(error) => error as &dyn StdError,
            Cause::Sink(error) => error,
            Cause::Resource(error) => error,
        })
    }
}

impl From<TemplateError> for ExportError {
    fn from(error: TemplateError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<RegistryError> for ExportError {
    fn from(error: RegistryError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<SinkUrlError> for ExportError {
    fn from(error: SinkUrlError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<PollError> for ExportError {
    fn from(error: PollError) -> Self {
        match error {
            PollError::Status { job, source } => {
                Self::api(format!("could not get the status of job {job}"), source)
            }
            PollError::Deadline { .. } => {
                Self::new(ExportErrorKind::DeadlineExceeded, error.to_string())
            }
            PollError::Resource { job, source } => {
                let what = format!("job {job} is complete, but its archive cannot be downloaded");
                Self::new(ExportErrorKind::JobFailed, what).caused(false, Cause::Resource(source))
            }
            other => Self::new(ExportErrorKind::JobFailed, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = ExportErrorKind::all()
            .map(ExportErrorKind::as_str)
            .collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(!names.contains("other"));
    }

    #[test]
    fn a_stores_failure_keeps_its_class() {
        for (sink, kind, retryable) in [
            (
                SinkErrorKind::StorageFull,
                ExportErrorKind::StoreFull,
                false,
            ),
            (
                SinkErrorKind::Unavailable,
                ExportErrorKind::StoreUnavailable,
                true,
            ),
            (
                SinkErrorKind::AlreadyExists,
                ExportErrorKind::AlreadyExists,
                false,
            ),
            (
                SinkErrorKind::PermissionDenied,
                ExportErrorKind::StorePermissionDenied,
                false,
            ),
            (SinkErrorKind::Other, ExportErrorKind::Store, false),
        ] {
            let error = ExportError::sink("could not store it", SinkError::new(sink, "x"));
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable));
            assert_eq!(error.sink_error().map(SinkError::kind), Some(sink));
            assert!(error.http_error().is_none());
        }
    }
}
