//! The removal of staged files left by killed runs.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::{debug, warn};
use tulip_core::sink::{SinkError, SinkErrorKind};
use walkdir::{DirEntry, WalkDir};

use super::error::from_io;
use super::lister::shown;
use super::names;
use super::staged_file::remove;

/// A staged file without a write for this long is abandoned: a stalled download is given up far
/// sooner, and an export is resumed within hours.
pub(super) const STALE: Duration = Duration::from_secs(24 * 3600);

/// The most failed paths that an error names.
const NAMED: usize = 5;

/// Removes stale files from `folder` itself. Files that cannot be read or removed stay.
pub(super) fn sweep_folder(folder: &Path) {
    let before = SystemTime::now() - STALE;
    for entry in WalkDir::new(folder).max_depth(1).into_iter().flatten() {
        if let Err(error) = remove_stale(&entry, before) {
            let path = entry.path().display();
            warn!(%path, %error, "could not remove the stale file {path}: {error}");
        }
    }
}

/// Removes files that were staged in `root` or below and last written before `before`, and returns
/// how many it removed. Links to folders are not followed.
///
/// # Errors
/// Names the paths that could not be read or removed, after everything else was done.
pub(super) fn sweep_all(root: &Path, before: SystemTime) -> Result<u64, SinkError> {
    let (mut removed, mut failures) = (0, Vec::new());
    for entry in WalkDir::new(root) {
        let (path, result) = match entry {
            Ok(entry) => (entry.path().to_owned(), remove_stale(&entry, before)),
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let unknown = || io::ErrorKind::Other.into();
                (path, Err(error.into_io_error().unwrap_or_else(unknown)))
            }
        };
        match result {
            Ok(was_removed) => removed += u64::from(was_removed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failures.push((path, error)),
        }
    }
    if failures.is_empty() {
        return Ok(removed);
    }
    let named = failures.iter().take(NAMED);
    let mut why: Vec<_> = named
        .map(|(path, error)| format!("{}: {}", shown(path), error.kind()))
        .collect();
    if failures.len() > NAMED {
        why.push(format!("and {} more", failures.len() - NAMED));
    }
    let root = root.display();
    let what =
        format!("removed {removed} staged files below {root}, but could not look everywhere");
    let kind = failures.pop().map(|(_, error)| from_io(error, "").kind());
    let error = SinkError::new(kind.unwrap_or(SinkErrorKind::Other), what);
    Err(error.with_reason(
        why.join("; "),
        "make these readable and writable, then try again",
    ))
}

fn remove_stale(entry: &DirEntry, before: SystemTime) -> io::Result<bool> {
    if !entry.file_type().is_file() || !names::is_staged(entry.file_name()) {
        return Ok(false);
    }
    let modified = match entry.metadata().map_err(io::Error::from) {
        // Its writer has renamed or removed it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?.modified()?,
    };
    if modified >= before {
        return Ok(false);
    }
    remove(entry.path())?;
    debug!(path = %entry.path().display(), "removed a stale staged file");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tulip_core::sink::staged_name;

    use super::*;

    fn stage(folder: &Path, name: &str, age: Duration) -> std::path::PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        let file = std::fs::File::create_new(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    }

    #[test]
    fn stale_files_of_a_folder_go_and_others_stay() {
        let folder = tempfile::TempDir::new().unwrap();
        let stale = stage(folder.path(), &staged_name("a.csv", 7), STALE);
        let staged = stage(folder.path(), &staged_name("a.csv", 8), STALE / 2);
        let mine = stage(folder.path(), ".a.csv", STALE);
        let deep = stage(
            &folder.path().join("b"),
            &staged_name("a.csv", 7),
            STALE * 2,
        );
        sweep_folder(folder.path());
        assert!(!stale.exists() && staged.exists() && mine.exists() && deep.exists());
        sweep_folder(&folder.path().join("nowhere"));
    }

    #[test]
    fn everything_below_is_swept() {
        let folder = tempfile::TempDir::new().unwrap();
        let deep = folder.path().join("a/b");
        stage(&deep, &staged_name("a.csv", 7), STALE);
        let whole = stage(&deep, "a.csv", STALE);
        assert_eq!(sweep_all(folder.path(), SystemTime::now()).unwrap(), 1);
        assert_eq!(sweep_all(folder.path(), SystemTime::now()).unwrap(), 0);
        assert!(whole.exists());
        let nowhere = folder.path().join("nowhere");
        assert_eq!(sweep_all(&nowhere, SystemTime::now()).unwrap(), 0);
    }
}
