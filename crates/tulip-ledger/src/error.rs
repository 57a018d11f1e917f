//! Maps errors of SQLite and the file system to `StateError`.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use tulip_archive::{StateError, StateErrorKind};

/// Maps an error of the database in `folder`.
pub(crate) fn database(folder: &Path, error: rusqlite::Error) -> StateError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StateErrorKind::Damaged,
        Some(ErrorCode::DiskFull) => StateErrorKind::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StateErrorKind::PermissionDenied
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateErrorKind::Unavailable,
        Some(ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport) => {
            StateErrorKind::Unsupported
        }
        _ => StateErrorKind::Other,
    };
    of(kind, folder, error)
}

/// Maps an error of the files in `folder`.
pub(crate) fn files(folder: &Path, error: io::Error) -> StateError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StateErrorKind::PermissionDenied
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StateErrorKind::Full,
        _ => StateErrorKind::Other,
    };
    of(kind, folder, error)
}

/// Maps an error from locking a file in `folder`.
pub(crate) fn lock(folder: &Path, error: io::Error) -> StateError {
    #[cfg(unix)]
    let no_locks = error
        .raw_os_error()
        .is_some_and(|code| code == rustix::io::Errno::NOLCK.raw_os_error());
    #[cfg(not(unix))]
    let no_locks = false;
    if no_locks || error.kind() == io::ErrorKind::Unsupported {
        let what = format!(
            "the file system of the state in {} has no file locks",
            folder.display()
        );
        return StateError::with_source(StateErrorKind::Unsupported, what, error);
    }
    files(folder, error)
}

/// Returns the error for a database that this version cannot use.
pub(crate) fn unusable(kind: StateErrorKind, folder: &Path, why: &str) -> StateError {
    StateError::new(kind, format!("the state in {} {why}", folder.display()))
}

fn of(
    kind: StateErrorKind,
    folder: &Path,
    source: impl StdError + Send + Sync + 'static,
) -> StateError {
    let folder = folder.display();
    let what = match kind {
        StateErrorKind::Damaged => format!("the state in {folder} is damaged"),
        StateErrorKind::Full => format!("no space is left for the state in {folder}"),
        StateErrorKind::Unavailable => format!("other processes have locked the state in {folder}"),
        _ => format!("cannot write the state in {folder}"),
    };
    StateError::with_source(kind, what, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_system_without_locks_is_told_from_other_failures() {
        let folder = Path::new("/state");
        let without = io::Error::from_raw_os_error(rustix::io::Errno::NOLCK.raw_os_error());
        let error = lock(folder, without);
        assert_eq!(error.kind(), StateErrorKind::Unsupported);
        assert!(error.to_string().contains("no file locks"), "{error}");
        let unsupported = io::Error::from_raw_os_error(rustix::io::Errno::OPNOTSUPP.raw_os_error());
        let error = lock(folder, unsupported);
        assert_eq!(error.kind(), StateErrorKind::Unsupported);
        let refused = lock(folder, io::ErrorKind::PermissionDenied.into());
        assert_eq!(refused.kind(), StateErrorKind::PermissionDenied);
    }
}
