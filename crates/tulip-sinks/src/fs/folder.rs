//! Folders, and their sync.

use std::fs;
use std::io;
use std::path::Path;

use super::sys;

/// Creates `folder` and its missing parents, and syncs the parent of each: a file does not survive
/// a power loss if its folder does not.
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

/// Syncs the entries of `folder` to disk. A file system that does not support that is no error.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    match sys::sync_folder(folder) {
        Err(error) if sys::is_unsupported(&error) => {
            tracing::debug!(folder = %folder.display(), %error, "folders cannot be synced there");
            Ok(())
        }
        synced => synced,
    }
}
