//! The commit of a staged file to its final name.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::warn;
use tulip_core::sink::{SinkError, SinkErrorKind, StoredObject, WriteMode};

use super::error::{from_io, is_a_folder, is_no_file};
use super::staged_file::{StagedFile, remove};
use super::{folder, sys};

/// Where a file goes, and whether it may replace another there. A link there is itself replaced,
/// not what it points to.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) file: PathBuf,
    pub(super) mode: WriteMode,
}

impl Destination {
    /// Refuses what the commit would refuse, before anything is downloaded.
    pub(super) fn check(&self) -> Result<(), SinkError> {
        let what = || format!("cannot write {}", self.file.display());
        match fs::symlink_metadata(&self.file) {
            Ok(found) if found.is_dir() => {
                let error = SinkError::new(SinkErrorKind::InvalidTarget, what());
                Err(is_a_folder(error))
            }
            Ok(_) if self.mode == WriteMode::Create => Err(match fs::metadata(&self.file) {
                Ok(found) if found.is_file() => {
                    SinkError::new(SinkErrorKind::AlreadyExists, what())
                }
                _ => is_no_file(SinkError::new(SinkErrorKind::InvalidTarget, what())),
            }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(from_io(error, what())),
            _ => Ok(()),
        }
    }

    /// Syncs a staged file of `bytes` bytes, renames it and syncs the folder, unless nobody waits
    /// for that any more once the file is synced. After an error the staged file is gone, unless
    /// nobody waited and a checkpoint has kept it.
    pub(super) fn commit(
        &self,
        mut staged: StagedFile,
        bytes: u64,
        is_waited_for: impl Fn() -> bool,
    ) -> Result<StoredObject, SinkError> {
        let ready = self.make_ready(&mut staged, bytes);
        if ready.is_ok() && !is_waited_for() {
            // Dropping the staged file removes it, or keeps it after a checkpoint.
            return Err(self.error("the export that wrote it has ended"));
        }
        let renamed = ready.and_then(|stored| {
            self.rename(staged.path())?;
            Ok(stored)
        });
        match renamed {
            Ok(stored) => {
                staged.keep();
                self.sync_folder()?;
                Ok(stored)
            }
            Err(error) => {
                let path = staged.path().to_owned();
                if let Err(error) = staged.remove() {
                    let path = path.display();
                    warn!(%path, %error, "could not remove the staged file {path}: {error}");
                }
                Err(error)
            }
        }
    }

    fn make_ready(&self, staged: &mut StagedFile, bytes: u64) -> Result<StoredObject, SinkError> {
        let synced = staged.cut(bytes).and_then(|()| staged.sync());
        synced.map_err(|error| self.failed(error))?;
        let metadata = staged.metadata().map_err(|error| self.failed(error))?;
        let is_in_place = staged.is_in_place().map_err(|error| self.failed(error))?;
        if !is_in_place || metadata.len() != bytes {
            let what = format!(
                "{} was changed, moved or removed by another process",
                staged.path().display()
            );
            return Err(self.error(&what));
        }
        Ok(stored(&metadata))
    }

    fn rename(&self, staged: &Path) -> Result<(), SinkError> {
        match self.mode {
            WriteMode::Create => rename_new(staged, &self.file),
            _ => fs::rename(staged, &self.file),
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let what = format!("cannot write {}", self.file.display());
                SinkError::new(SinkErrorKind::AlreadyExists, what)
            }
            _ => self.failed(error),
        })
    }

    fn sync_folder(&self) -> Result<(), SinkError> {
        let synced = self.file.parent().map_or(Ok(()), folder::sync);
        synced.map_err(|error| {
            let file = self.file.display();
            let what = format!("{file} is written, but may not survive a loss of power");
            from_io(error, what)
        })
    }

    pub(super) fn failed(&self, error: io::Error) -> SinkError {
        from_io(error, format!("cannot write {}", self.file.display()))
    }

    pub(super) fn error(&self, why: &str) -> SinkError {
        let what = format!("cannot write {}: {why}", self.file.display());
        SinkError::new(SinkErrorKind::Other, what)
    }
}

/// The size and entity tag of a stored file. Like Apache's, the tag consists of the file's number,
/// modification time and size, so it survives a rename.
pub(super) fn stored(metadata: &Metadata) -> StoredObject {
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let (number, bytes) = (sys::file_number(metadata), metadata.len());
    let micros = modified.unwrap_or_default().as_micros();
    StoredObject::new(bytes).with_etag(Some(format!("\"{number:x}-{micros:x}-{bytes:x}\"")))
}

/// Renames `from` to `to`, or fails with [`io::ErrorKind::AlreadyExists`] if that name is taken.
/// Uses a hard link if the file system has no such rename, and fails with
/// [`io::ErrorKind::Unsupported`] if it has neither.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match sys::rename_no_replace(from, to) {
        Err(error) if sys::is_unsupported(&error) => link_new(from, to),
        renamed => renamed,
    }
}

fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        // A network file system can lose the answer, retry, and find the link that it made.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match (fs::symlink_metadata(from), fs::symlink_metadata(to)) {
                (Ok(from), Ok(to)) if cfg!(unix) && sys::is_same_file(&from, &to) => {}
                _ => return Err(error),
            }
        }
        Err(error) if sys::has_no_links(&error) => {
            let what = "the file system has neither a rename that does not replace nor hard links";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        Err(error) => return Err(error),
    }
    if let Err(error) = remove(from) {
        let path = from.display();
        warn!(%path, %error, "could not remove the staged file {path}: {error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rename = fn(&Path, &Path) -> io::Result<()>;

    #[test]
    fn what_must_be_new_never_replaces_a_file() {
        for rename in [rename_new as Rename, link_new as Rename] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            fs::write(&from, "new").unwrap();
            fs::write(&to, "old").unwrap();
            let error = rename(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&to).unwrap(), b"old");
            assert_eq!(fs::read(&from).unwrap(), b"new");
            fs::remove_file(&to).unwrap();
            rename(&from, &to).unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"new");
            assert!(!from.exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_was_made_before_its_answer_was_lost_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::hard_link(&from, &to).unwrap();
        link_new(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }

    #[test]
    fn a_commit_that_nobody_waits_for_leaves_nothing_visible() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".a.00000000.partial");
        let destination = Destination {
            file: folder.path().join("a"),
            mode: WriteMode::Overwrite,
        };
        let caching = super::super::staged_file::Caching::PageCache;
        let staged = StagedFile::create(path.clone(), caching).unwrap();
        destination.commit(staged, 0, || false).unwrap_err();
        assert!(!destination.file.exists() && !path.exists());
    }

    #[test]
    fn the_tag_of_a_file_survives_its_rename() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        let before = stored(&fs::metadata(&from).unwrap());
        fs::rename(&from, &to).unwrap();
        assert_eq!(stored(&fs::metadata(&to).unwrap()), before);
        assert_eq!(before.bytes, 3);
    }
}
