//! Whether a process lives: as long as it holds the lock on a file of its own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tulip_archive::StateError;

use crate::{error, folder};

/// The file that is used to find out whether files can be locked.
const LOCK_CHECK: &str = ".locks";

/// The name of a process in the database, and its locked file.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    folder: PathBuf,
    /// Locked as long as the process lives, and this.
    _file: File,
}

impl Process {
    /// Locks a file for this process. Others must not look for dead ones meanwhile, so both happen
    /// within a write transaction.
    pub(crate) fn register(folder: &Path) -> Result<Self, StateError> {
        let failed = |error| error::files(folder, error);
        loop {
            let id = format!("{:016x}", fastrand::u64(..));
            let path = path_of(folder, &id);
            let Some(file) = folder::create_private(&path).map_err(failed)? else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => {
                    // It means nothing to anybody.
                    let _ = fs::remove_file(&path);
                    return Err(error::lock(folder, error));
                }
            }
            return Ok(Self {
                id,
                folder: folder.to_owned(),
                _file: file,
            });
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What stays is removed by the next process.
        let _ = fs::remove_file(path_of(&self.folder, &self.id));
    }
}

/// Makes sure that files in `folder` can be locked. Without locks the database would take every
/// process for a busy one, and wait for it. What a killed process has left of this, the next one
/// uses and removes.
pub(crate) fn check_locks(folder: &Path) -> Result<(), StateError> {
    let path = folder.join(LOCK_CHECK);
    let created = folder::create_private(&path).and_then(|created| match created {
        Some(file) => Ok(file),
        None => OpenOptions::new().read(true).write(true).open(&path),
    });
    let file = match created {
        Ok(file) => file,
        // Another process has made it, and is done.
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => return Ok(()),
        Err(error) => return Err(error::files(folder, error)),
    };
    let locked = file.try_lock();
    let _ = fs::remove_file(&path);
    match locked {
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error::lock(folder, error)),
    }
}

/// Whether the process with this id lives. The file of one that does not is removed.
pub(crate) fn is_alive(folder: &Path, id: &str) -> Result<bool, StateError> {
    let path = path_of(folder, id);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error::files(folder, error)),
    };
    match file.try_lock() {
        Ok(()) => {
            let _ = fs::remove_file(&path);
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error::lock(folder, error)),
    }
}

/// The ids of all processes that have a file.
pub(crate) fn ids(folder: &Path) -> io::Result<Vec<String>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let id = name
            .to_str()
            .and_then(|name| name.strip_prefix("process-")?.strip_suffix(".lock"));
        ids.extend(id.map(str::to_owned));
    }
    Ok(ids)
}

fn path_of(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("process-{id}.lock"))
}

/// The name of this machine or container.
#[cfg(unix)]
pub(crate) fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
pub(crate) fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
