//! The mapping from I/O errors to sink errors.

use std::io;

use tulip_core::sink::{SinkError, SinkErrorKind};

/// Maps `error`, which happened while doing `what` ("cannot write /data/a.csv").
pub(super) fn from_io(error: io::Error, what: impl Into<String>) -> SinkError {
    use io::ErrorKind as Io;
    let sink_error = SinkError::new(kind_of(error.kind()), what);
    match error.kind() {
        // The kind's message says all that the system's would.
        Io::StorageFull => sink_error,
        Io::QuotaExceeded => sink_error.with_reason(
            "the disk quota is used up",
            "free some of it, then try again",
        ),
        Io::ReadOnlyFilesystem => sink_error.with_reason(
            "the file system is read-only",
            "mount it for writing, or choose another target",
        ),
        Io::InvalidFilename => sink_error.with_reason(
            "the file system does not accept this name",
            "choose a shorter or plainer one",
        ),
        Io::NotADirectory => sink_error.with_reason(
            "a parent of the path is a file",
            "choose another name, or move the file",
        ),
        Io::IsADirectory => is_a_folder(sink_error),
        _ => sink_error.with_source(error),
    }
}

/// Explains that the target is a folder.
pub(super) fn is_a_folder(error: SinkError) -> SinkError {
    error.with_reason("it is a folder", "choose another name, or move the folder")
}

/// Explains that the target is a dangling link, a pipe or a device.
pub(super) fn is_no_file(error: SinkError) -> SinkError {
    error.with_reason(
        "it is a dangling link, or not a regular file",
        "choose another name, or move it",
    )
}

fn kind_of(kind: io::ErrorKind) -> SinkErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::NotFound => SinkErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => SinkErrorKind::PermissionDenied,
        Io::AlreadyExists => SinkErrorKind::AlreadyExists,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => SinkErrorKind::StorageFull,
        Io::NotADirectory | Io::IsADirectory | Io::InvalidFilename => SinkErrorKind::InvalidTarget,
        // Mostly from network file systems.
        Io::TimedOut
        | Io::Interrupted
        | Io::StaleNetworkFileHandle
        | Io::ResourceBusy
        | Io::NotConnected
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown => SinkErrorKind::Unavailable,
        Io::Unsupported => SinkErrorKind::Unsupported,
        _ => SinkErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn error_numbers_give_the_kind() {
        use rustix::io::Errno;
        for (number, kind) in [
            (Errno::NOSPC, SinkErrorKind::StorageFull),
            (Errno::DQUOT, SinkErrorKind::StorageFull),
            (Errno::FBIG, SinkErrorKind::StorageFull),
            (Errno::ROFS, SinkErrorKind::PermissionDenied),
            (Errno::ACCESS, SinkErrorKind::PermissionDenied),
            (Errno::PERM, SinkErrorKind::PermissionDenied),
            (Errno::NAMETOOLONG, SinkErrorKind::InvalidTarget),
            (Errno::NOTDIR, SinkErrorKind::InvalidTarget),
            (Errno::ISDIR, SinkErrorKind::InvalidTarget),
            (Errno::STALE, SinkErrorKind::Unavailable),
            (Errno::TIMEDOUT, SinkErrorKind::Unavailable),
            (Errno::IO, SinkErrorKind::Other),
        ] {
            let error = from_io(number.into(), "cannot write a.csv");
            assert_eq!(error.kind(), kind, "{number:?}");
        }
    }

    #[test]
    fn a_full_disk_is_told_once() {
        let error = from_io(io::ErrorKind::StorageFull.into(), "cannot write a.csv");
        let text = "cannot write a.csv: no space left (free some space, then try again)";
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_none());
    }

    #[test]
    fn the_system_is_quoted_where_the_kind_says_too_little() {
        let error = from_io(io::Error::other("bad sector"), "cannot write a.csv");
        assert_eq!(error.source().unwrap().to_string(), "bad sector");
    }
}
