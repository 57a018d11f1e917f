//! What is left of staged files by runs that were killed.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::{debug, warn};

use super::upload::remove;
use crate::object::staging::is_staged;

/// Behind this time without a write nobody writes a staged file any more, and nobody goes on with
/// it: a download that stalls is given up far sooner, and an export is resumed within hours.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 3600);

/// Removes from `folder` itself what was staged there and last written before `before`, and tells
/// how many files that were. What cannot be read or removed is left for somebody else.
pub(crate) fn sweep(folder: &Path, before: SystemTime) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        match remove_stale(&entry, before) {
            Ok(true) => {
                debug!(path = %path.display(), "removed what a killed run had staged");
                removed += 1;
            }
            Ok(false) => {}
            Err(error) => warn!(path = %path.display(), %error, "a stale staged file stays"),
        }
    }
    removed
}

/// The same for everything below `folder`. What cannot be looked at is an error.
pub(crate) fn sweep_all(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += sweep_all(&entry.path(), before)?;
        } else if remove_stale(&entry, before)? {
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_stale(entry: &std::fs::DirEntry, before: SystemTime) -> io::Result<bool> {
    if !entry.file_name().to_str().is_some_and(is_staged) {
        return Ok(false);
    }
    let modified = match entry.metadata() {
        // Its writer has renamed or removed it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?.modified()?,
    };
    if modified >= before {
        return Ok(false);
    }
    remove(&entry.path())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::staging::name;

    #[test]
    fn what_is_stale_goes_and_what_may_be_written_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let (staged, mine) = (
            folder.path().join(name("a.csv", 7) + "#1"),
            folder.path().join(".a.csv"),
        );
        std::fs::write(&staged, "x").unwrap();
        std::fs::write(&mine, "x").unwrap();
        let now = SystemTime::now();
        assert_eq!(sweep(folder.path(), now - STALE), 0);
        assert!(staged.exists());
        assert_eq!(sweep(folder.path(), now + STALE), 1);
        assert!(!staged.exists() && mine.exists());
        assert_eq!(sweep(&folder.path().join("nowhere"), now), 0);
    }

    #[test]
    fn everything_below_is_swept() {
        let folder = tempfile::TempDir::new().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join(name("a.csv", 7)), "x").unwrap();
        std::fs::write(deep.join("a.csv"), "x").unwrap();
        let later = SystemTime::now() + STALE;
        assert_eq!(sweep_all(folder.path(), later).unwrap(), 1);
        assert_eq!(sweep_all(folder.path(), later).unwrap(), 0);
        assert!(deep.join("a.csv").exists());
    }
}
