//! Small files that are replaced at once or not at all, readable for their owner alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a folder for its owner alone, and what is missing above it.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What of a file outlasts a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durable {
    /// Perhaps nothing: it need only outlast the process.
    No,
    /// The old content or the new.
    Either,
    /// The new content, once it was written.
    Yes,
}

/// Puts `content` in place of what `path` holds.
pub(super) fn replace(path: &Path, content: &[u8], durable: Durable) -> io::Result<()> {
    let staged = staged(path);
    let mut file = options().truncate(true).open(&staged)?;
    file.write_all(content)?;
    if durable >= Durable::Either {
        file.sync_all()?;
    }
    drop(file);
    std::fs::rename(&staged, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent().filter(|_| durable == Durable::Yes) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn staged(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Removes a file, and what a process that was killed has left of its successor. That they are gone
/// already is no error.
pub(super) fn remove_replaced(path: &Path) -> io::Result<()> {
    remove(&staged(path))?;
    remove(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A lock that ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock; `None` where somebody else has it.
    pub(super) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        loop {
            let file = options().truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have removed the file meanwhile: then nobody else would
            // meet this lock.
            if is_at(&file, &path)? {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }

    /// Gives the lock back and removes its file.
    pub(super) fn remove(&self) -> io::Result<()> {
        // Elsewhere a file that is open cannot be told from its successor.
        match cfg!(unix) {
            true => remove(&self.path),
            false => Ok(()),
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_owner_and_its_file_goes_with_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.lock");
        let first = Lock::take(path.clone()).unwrap().unwrap();
        assert!(Lock::take(path.clone()).unwrap().is_none());
        first.remove().unwrap();
        // The file is another one now, which the first owner does not lock.
        let second = Lock::take(path.clone()).unwrap().unwrap();
        drop(first);
        assert!(Lock::take(path.clone()).unwrap().is_none());
        drop(second);
        assert!(Lock::take(path).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn files_are_their_owners_alone_and_replaced_whole() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let below = folder.path().join("a/b");
        create_folder(&below).unwrap();
        let path = below.join("x.json");
        for (content, durable) in [("one", Durable::Yes), ("two", Durable::No)] {
            replace(&path, content.as_bytes(), durable).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&below)), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 1);
        // As a process leaves it that is killed before it renames.
        std::fs::write(staged(&path), "three").unwrap();
        remove_replaced(&path).unwrap();
        remove_replaced(&path).unwrap();
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 0);
    }
}
