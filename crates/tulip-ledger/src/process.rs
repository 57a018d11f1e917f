//! Liveness of processes: a process is alive as long as it holds the lock on its file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tulip_archive::StateError;

use crate::{error, folder};

/// The file that is used to check whether files can be locked.
const LOCK_CHECK: &str = ".locks";

/// The id of a process in the database, and its locked file.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    folder: PathBuf,
    /// Locked as long as this value and the process live.
    _file: File,
}

impl Process {
    /// Creates and locks a file for this process. Other processes must not look for dead ones at
    /// the same time, so both happen within a write transaction.
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
                    // An unlocked file has no meaning.
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
        // If this fails, the next process removes the file.
        let _ = fs::remove_file(path_of(&self.folder, &self.id));
    }
}

/// Checks that files in `folder` can be locked. Without locks, SQLite would find the database busy,
/// and wait. If a killed process leaves the file of this check, the next one uses and removes it.
pub(crate) fn check_locks(folder: &Path) -> Result<(), StateError> {
    let path = folder.join(LOCK_CHECK);
    let created = folder::create_private(&path).and_then(|created| match created {
        Some(file) => Ok(file),
        None => OpenOptions::new().read(true).write(true).open(&path),
    });
    let file = match created {
        Ok(file) => file,
        // Another process created it, and has already removed it.
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

/// Whether the process with this id is alive. If it is dead, its file is removed.
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

/// Returns the ids of all processes that have a file.
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

/// Returns the name of this machine or container.
#[cfg(unix)]
pub(crate) fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
pub(crate) fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
