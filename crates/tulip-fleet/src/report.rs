//! What came of the exports of a run.

use std::error::Error as StdError;
use std::fmt;

use tulip_archive::core::Timestamp;
use tulip_archive::{ExportError, ExportErrorKind, JobId, Source};

use crate::{ItemOutcome, Measured};

/// One export of a run that has ended, or that was not started.
#[derive(Debug)]
#[non_exhaustive]
pub struct ItemReport {
    /// What was exported.
    pub source: Source,
    /// Where the archive is, or why it is not stored.
    pub result: Result<tulip_archive::Outcome, ItemError>,
    /// When this run took the export up; `None` where it did not.
    pub started: Option<Timestamp>,
    /// When the export ended, or was given up.
    pub ended: Timestamp,
    /// How often the run has tried the export: 0 where it did not.
    pub attempts: u32,
    /// What the export spent its time on, and how much it moved.
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
    /// The class of what stands in the way.
    pub kind: ExportErrorKind,
    /// What stands in the way, in words.
    pub reason: String,
}

impl NotStarted {
    /// An export that is not tried for this reason.
    #[must_use]
    pub fn new(kind: ExportErrorKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// The run was interrupted before.
    #[must_use]
    pub fn interrupted() -> Self {
        let reason = "not started: the run was interrupted";
        Self::new(ExportErrorKind::Interrupted, reason)
    }
}

impl ItemError {
    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ExportErrorKind {
        match self {
            Self::Failed(error) => error.kind(),
            Self::NotStarted(why) => why.kind,
        }
    }

    /// Whether the same export can succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_retryable(),
            Self::NotStarted(why) => why.kind.can_be_retryable(),
        }
    }

    /// The `errorUniqueID` that Tulip's support asks for, where Tulip gave one.
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
    /// An export that failed before it was started.
    #[must_use]
    pub fn failed(source: Source, error: ExportError) -> Self {
        Self::without_start(source, ItemError::Failed(error))
    }

    /// An export that was not tried.
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

    /// How the export has ended.
    #[must_use]
    pub fn outcome(&self) -> ItemOutcome {
        match &self.result {
            Ok(done) => ItemOutcome::of_success(done),
            Err(ItemError::Failed(error)) => ItemOutcome::of_failure(error, &self.measured),
            Err(ItemError::NotStarted(_)) => ItemOutcome::NotStarted,
        }
    }

    /// The failure of an export that was tried.
    #[must_use]
    pub fn failure(&self) -> Option<&ExportError> {
        match &self.result {
            Err(ItemError::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// The job, where one is known.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        let of_result = match &self.result {
            Ok(done) => done.receipt().map(|receipt| &receipt.job),
            Err(ItemError::Failed(error)) => error.job(),
            Err(ItemError::NotStarted(_)) => None,
        };
        of_result.or_else(|| self.source.known_job())
    }

    /// The job that was started for a failed export, where its archive is still worth fetching:
    /// exporting that job spares Tulip another one.
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
        use ExportErrorKind as Kind;
        self.failure().is_some_and(|error| {
            matches!(error.kind(), Kind::StoreUnavailable | Kind::Store) && error.is_retryable()
        })
    }

    /// Whether running the same export again continues this one.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.remembered && self.job_to_fetch().is_some()
    }
}
