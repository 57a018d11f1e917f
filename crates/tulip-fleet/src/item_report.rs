//! Reports on the exports of a run.

use std::error::Error as StdError;
use std::fmt;

use tulip_archive::core::Timestamp;
use tulip_archive::{ExportError, ExportErrorKind, JobId, Source};

use crate::{ItemOutcome, Measured};

/// The report on one export of a run, which has ended or was not started.
#[derive(Debug)]
#[non_exhaustive]
pub struct ItemReport {
    /// The source of the export.
    pub source: Source,
    /// Where the archive is, or why it is not stored.
    pub result: Result<tulip_archive::Outcome, ItemError>,
    /// When this run took up the export; `None` if it did not.
    pub started: Option<Timestamp>,
    /// When the export ended, or was given up.
    pub ended: Timestamp,
    /// How often the run tried the export; 0 if it did not.
    pub attempts: u32,
    /// The measurements of the export: its phases, and how much it transferred.
    pub measured: Measured,
    /// Whether the exporter remembers incomplete exports, so that another run can resume this one.
    pub remembered: bool,
}

/// Why an archive is not stored.
#[derive(Debug)]
pub enum ItemError {
    /// The export failed.
    Failed(ExportError),
    /// The export was not tried.
    NotStarted(NotStarted),
}

/// Why an export was not tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct NotStarted {
    /// The class of the reason.
    pub kind: ExportErrorKind,
    /// The reason, in words.
    pub reason: String,
}

impl NotStarted {
    /// Creates the reason why an export is not tried.
    #[must_use]
    pub fn new(kind: ExportErrorKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// Returns the reason for an export of an interrupted run.
    #[must_use]
    pub fn interrupted() -> Self {
        let reason = "not started: the run was interrupted";
        Self::new(ExportErrorKind::Interrupted, reason)
    }
}

impl ItemError {
    /// Returns the class of the failure.
    #[must_use]
    pub fn kind(&self) -> ExportErrorKind {
        match self {
            Self::Failed(error) => error.kind(),
            Self::NotStarted(why) => why.kind,
        }
    }

    /// Whether the same export can succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_retryable(),
            Self::NotStarted(why) => why.kind.can_be_retryable(),
        }
    }

    /// Returns the `errorUniqueID` that Tulip's support asks for, if Tulip gave one.
    #[must_use]
    pub fn error_unique_id(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => error.http_error()?.error_unique_id(),
            Self::NotStarted(_) => None,
        }
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::NotStarted(why) => why.fmt(f),
        }
    }
}

impl StdError for ItemError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::NotStarted(_) => None,
        }
    }
}

impl ItemReport {
    /// Returns the report on an export that failed before it was started.
    #[must_use]
    pub fn failed(source: Source, error: ExportError) -> Self {
        Self::without_start(source, ItemError::Failed(error))
    }

    /// Returns the report on an export that was not tried.
    #[must_use]
    pub fn not_started(source: Source, why: NotStarted) -> Self {
        Self::without_start(source, ItemError::NotStarted(why))
    }

    fn without_start(source: Source, error: ItemError) -> Self {
        Self {
            source,
            result: Err(error),
            started: None,
            attempts: 0,
            measured: Measured::default(),
            ended: Timestamp::now(),
            remembered: false,
        }
    }

    /// Returns how the export ended.
    #[must_use]
    pub fn outcome(&self) -> ItemOutcome {
        match &self.result {
            Ok(done) => ItemOutcome::of_success(done),
            Err(ItemError::Failed(error)) => ItemOutcome::of_failure(error, &self.measured),
            Err(ItemError::NotStarted(_)) => ItemOutcome::NotStarted,
        }
    }

    /// Returns the error of an export that failed, or `None` if it succeeded or was not tried.
    #[must_use]
    pub fn failure(&self) -> Option<&ExportError> {
        match &self.result {
            Err(ItemError::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// Returns the job, if it is known.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        let of_result = match &self.result {
            Ok(done) => done.receipt().map(|receipt| &receipt.job),
            Err(ItemError::Failed(error)) => error.job(),
            Err(ItemError::NotStarted(_)) => None,
        };
        of_result.or_else(|| self.source.known_job())
    }

    /// Returns the job that was started for a failed export, if its archive is still worth
    /// fetching. Exporting that job spares Tulip another one.
    #[must_use]
    pub fn job_to_fetch(&self) -> Option<&JobId> {
        use ExportErrorKind as Kind;
        let error = self.failure()?;
        let is_archive_bad = matches!(
            error.kind(),
            Kind::IncompleteArchive | Kind::NotAnArchive | Kind::JobFailed | Kind::NotFound
        );
        let job = error.job().filter(|_| !is_archive_bad)?;
        self.source.known_job().is_none().then_some(job)
    }

    /// Whether the store cannot be reached or used at the moment.
    pub(crate) fn is_store_down(&self) -> bool {
        let is_down = |error: &ExportError| error.kind() == ExportErrorKind::StoreUnavailable;
        self.failure().is_some_and(is_down)
    }

    /// Whether running the same export again continues this one.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.remembered && self.job_to_fetch().is_some()
    }
}
