//! From a store's errors to a sink's.

use std::error::Error as StdError;
use std::io;

use object_store::Error as StoreError;
use tulip_core::redact_urls;
use tulip_core::sink::{SinkError, SinkErrorKind};

/// Maps `error`, which happened while doing `what` ("cannot write …").
pub(crate) fn from_store(error: StoreError, what: impl Into<String>) -> SinkError {
    #[cfg(any())]
    if let Some(answer) = crate::cloud::answer::explain(&error) {
        return SinkError::new(answer.kind, what)
            .with_reason(answer.reason, answer.advice)
            .with_source(answer.cause);
    }
    let kind = match &error {
        StoreError::NotFound { .. } => SinkErrorKind::NotFound,
        StoreError::AlreadyExists { .. } => SinkErrorKind::AlreadyExists,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            SinkErrorKind::PermissionDenied
        }
        StoreError::InvalidPath { .. } => SinkErrorKind::InvalidTarget,
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            SinkErrorKind::Unsupported
        }
        other => io_error(other).map_or(SinkErrorKind::Other, |io| kind_of(io.kind())),
    };
    let cause = match io_error(&error) {
        Some(io) => io.to_string(),
        None => foreign(&error.to_string()),
    };
    SinkError::new(kind, what).with_source(cause)
}

/// A store's own words: the code and message of its answer where there is one.
fn foreign(text: &str) -> String {
    #[cfg(any())]
    if let Some(said) = crate::cloud::answer::said(text) {
        return said;
    }
    redact_urls(text)
}

/// The class of a plain I/O error.
pub(crate) fn kind_of(kind: io::ErrorKind) -> SinkErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::NotFound => SinkErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => SinkErrorKind::PermissionDenied,
        Io::AlreadyExists => SinkErrorKind::AlreadyExists,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => SinkErrorKind::StorageFull,
        Io::NotADirectory | Io::IsADirectory | Io::InvalidFilename => SinkErrorKind::InvalidTarget,
        Io::TimedOut | Io::Interrupted | Io::StaleNetworkFileHandle | Io::ResourceBusy => {
            SinkErrorKind::Unavailable
        }
        _ => SinkErrorKind::Other,
    }
}

fn io_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref() {
            return Some(io);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_inside_a_stores_error_give_the_kind_and_the_cause() {
        for (io, kind) in [
            (io::ErrorKind::StorageFull, SinkErrorKind::StorageFull),
            (
                io::ErrorKind::PermissionDenied,
                SinkErrorKind::PermissionDenied,
            ),
            (
                io::ErrorKind::ReadOnlyFilesystem,
                SinkErrorKind::PermissionDenied,
            ),
            (io::ErrorKind::NotADirectory, SinkErrorKind::InvalidTarget),
            (io::ErrorKind::BrokenPipe, SinkErrorKind::Other),
        ] {
            let source = io::Error::from(io);
            let says = source.to_string();
            let error = StoreError::Generic {
                store: "LocalFileSystem",
                source: Box::new(source),
            };
            let error = from_store(error, "cannot write a.csv");
            assert_eq!(error.kind(), kind);
            assert_eq!(error.source().unwrap().to_string(), says);
        }
    }

    #[test]
    fn urls_in_a_stores_message_are_masked() {
        let error = StoreError::Generic {
            store: "S3",
            source: "PUT https://h/x?sig=5ig failed".into(),
        };
        let error = from_store(error, "cannot write a.csv");
        assert!(!format!("{error:?}").contains("5ig"));
    }
}
