//! Why an export failed.

use std::error::Error as StdError;
use std::fmt;

use tulip_core::JobId;
use tulip_core::sink::SinkError;

use crate::TemplateError;
use crate::poll::PollError;

/// The class of a failed export: whose it is to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportErrorKind {
    /// The export was asked for in a way that cannot work: a name template, an option.
    InvalidRequest,
    /// Tulip refused the credentials, or what they may do.
    PermissionDenied,
    /// The job failed at Tulip, is not known there, has no archive, or missed its deadline.
    Job,
    /// Tulip's API could not be reached or did not answer as it should.
    Api,
    /// The archive could not be downloaded.
    Download,
    /// The archive that was downloaded is not whole.
    Incomplete,
    /// The archive has more bytes than [`max_bytes`](crate::ExporterBuilder::max_bytes) allows.
    TooLarge,
    /// The sink could not be reached or written, or has an object that was not to be replaced.
    Sink,
    /// Another run is at the same export.
    Busy,
    /// An export that was to be resumed is open no more: another run has finished it, or given it up.
    NotOpen,
    /// An earlier run has asked for an archive and never learned whether it was started, so that
    /// no other is started by itself.
    StartUnknown,
    /// The caller ended the export.
    Cancelled,
}

/// A failed export. Nothing is visible under the object's name that was not there before, except
/// where the message says so.
#[derive(Debug)]
pub struct ExportError {
    kind: ExportErrorKind,
    /// What was exported: a job or a machine.
    source_name: String,
    job: Option<JobId>,
    message: String,
    retryable: bool,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl ExportError {
    pub(crate) fn new(kind: ExportErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            source_name: String::new(),
            job: None,
            message: message.into(),
            retryable: false,
            cause: None,
        }
    }

    pub(crate) fn with_cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Says what was exported, once, at the outermost place that knows.
    pub(crate) fn of(mut self, source_name: String, job: Option<JobId>) -> Self {
        self.source_name = source_name;
        self.job = job;
        self
    }

    pub(crate) fn sink(what: impl Into<String>, error: SinkError) -> Self {
        Self::new(ExportErrorKind::Sink, what)
            .retryable(error.is_retryable())
            .with_cause(error)
    }

    pub(crate) fn api(what: impl Into<String>, error: tulip_http::Error) -> Self {
        let kind = match () {
            () if error.is_permission_denied() => ExportErrorKind::PermissionDenied,
            () if error.is_not_found() => ExportErrorKind::Job,
            () => ExportErrorKind::Api,
        };
        let retryable = error.is_retryable() && !error.is_outcome_unknown();
        Self::new(kind, what).retryable(retryable).with_cause(error)
    }

    pub(crate) fn download(error: tulip_http::Error) -> Self {
        use tulip_http::{Endpoint, ErrorKind as Http};
        if !matches!(error.endpoint(), Endpoint::Asset { .. }) {
            return Self::api("no fresh URL could be had for the archive", error);
        }
        // A fresh export asks for a fresh URL, so a refused one is worth another try.
        let retryable = error.is_retryable() || error.kind() == Http::AssetRefused;
        Self::new(
            ExportErrorKind::Download,
            "the archive could not be downloaded",
        )
        .retryable(retryable)
        .with_cause(error)
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ExportErrorKind {
        self.kind
    }

    /// The job, once it was known. Where the archive itself did not fail, exporting this job again
    /// spares Tulip another one.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// Whether the same export can succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source_name.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.source_name, self.message)
    }
}

impl StdError for ExportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<TemplateError> for ExportError {
    fn from(error: TemplateError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<PollError> for ExportError {
    fn from(error: PollError) -> Self {
        match error {
            PollError::Status { job, source } => Self::api(
                format!("the status of job {job} could not be asked"),
                source,
            ),
            PollError::Resource { job, source } => Self::new(
                ExportErrorKind::Job,
                format!("job {job} is complete, but its archive cannot be downloaded"),
            )
            .with_cause(source),
            PollError::Deadline { .. } => {
                Self::new(ExportErrorKind::Job, error.to_string()).retryable(true)
            }
            other => Self::new(ExportErrorKind::Job, other.to_string()),
        }
    }
}
