//! Folders, and their sync.

use std::fs;
use std::io;
use std::path::Path;

use super::sys;

/// Creates `folder` and what is missing above it, and syncs each into its parent: a file would not
/// survive a loss of power in a folder that does not.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    create(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent),
    }
}

/// Syncs the entries of `folder` to disk. Some file systems have no such thing; that is no failure.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    match sys::sync_folder(folder) {
        Err(error) if sys::is_unsupported(&error) => {
            tracing::debug!(folder = %folder.display(), %error, "folders cannot be synced there");
            Ok(())
        }
        synced => synced,
    }
}
