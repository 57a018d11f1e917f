//! Failures and the exit codes that they end in.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use tulip_archive::{ExportError, ExportErrorKind};
use tulip_emulator::EmulatorError;
use tulip_http::{BuildError, SettingsError};

use crate::progress::Progress;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Other = 1,
    Usage = 2,
    Permission = 3,
    Job = 4,
    Sink = 5,
    Verify = 6,
    Interrupted = 130,
}

/// Why the command ends with another code than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// `None` where everything has been said.
    message: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
        }
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Code::Other, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// A failure of which the person has been told.
    pub(crate) fn reported(code: Code) -> Self {
        Self {
            code,
            message: None,
        }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(self, progress: &Progress) -> ExitCode {
        if let Some(message) = self.message {
            progress.error(&message);
        }
        ExitCode::from(self.code as u8)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_default())
    }
}

/// The code of one failed export.
pub(crate) fn code_of(kind: ExportErrorKind) -> Code {
    match kind {
        ExportErrorKind::InvalidRequest => Code::Usage,
        ExportErrorKind::PermissionDenied => Code::Permission,
        ExportErrorKind::NotFound | ExportErrorKind::JobFailed | ExportErrorKind::StartUnknown => {
            Code::Job
        }
        ExportErrorKind::AlreadyExists
        | ExportErrorKind::StorePermissionDenied
        | ExportErrorKind::StoreFull
        | ExportErrorKind::StoreUnavailable
        | ExportErrorKind::Store
        | ExportErrorKind::EmptyArchive
        | ExportErrorKind::Conflict => Code::Sink,
        ExportErrorKind::Interrupted => Code::Interrupted,
        _ => Code::Other,
    }
}

/// An error with all its causes, on one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// An emulator does not start because of what it was asked for, or where it should listen.
pub(crate) fn emulator_failure(error: EmulatorError) -> Failure {
    Failure::usage(chain(&error))
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::new(code_of(error.kind()), chain(&error))
    }
}

impl From<tulip_http::Error> for Failure {
    fn from(error: tulip_http::Error) -> Self {
        let code = match () {
            () if error.is_permission_denied() => Code::Permission,
            () if error.is_not_found() => Code::Job,
            () => Code::Other,
        };
        Self::new(code, chain(&error))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<io::Error> for Failure {
    /// Only for writing to stdout. A reader that has left is no failure to talk about.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::reported(Code::Other),
            _ => Self::other(format!("cannot write to stdout: {error}")),
        }
    }
}
