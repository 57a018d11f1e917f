//! A file under its staged name.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

#[cfg(target_os = "linux")]
use super::direct_io::DirectIo;
use super::{folder, sys};

/// How bytes reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// Through the page cache: best for small files.
    PageCache,
    /// Past the page cache, if the file system can. An archive is not read again soon: in the cache
    /// it would only evict files that are, and cost a copy of each byte.
    Direct,
}

/// A file that is being written. Dropping this removes the file, unless it is to be kept.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    file: Arc<OpenFile>,
    /// Whether a resumed file has more bytes than are used. The first change cuts them off, not the
    /// resume: until then the caller checks the bytes.
    has_excess: bool,
    keep: bool,
}

/// An open file, shared with the writes in flight.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    #[cfg(target_os = "linux")]
    direct: Option<DirectIo>,
}

impl StagedFile {
    /// Creates the file, and its missing folders.
    pub(super) fn create(path: PathBuf, caching: Caching) -> io::Result<Self> {
        let file = match create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), folder::create)?;
                create_new(&path)
            }
            created => created,
        };
        let file = file.map_err(|error| match error.kind() {
            // Not the target: another writer's staged file.
            io::ErrorKind::AlreadyExists => io::Error::other("its staged name is taken"),
            _ => error,
        })?;
        Ok(Self {
            file: Arc::new(OpenFile::new(file, &path, caching)),
            path,
            has_excess: false,
            keep: false,
        })
    }

    /// Opens a file that an earlier writer staged, to continue after its first `bytes`. `None`
    /// unless it is our own regular file with at least that many bytes, is not a link, and has only
    /// one name: a file that was hard-linked to its target is already visible.
    pub(super) fn resume(path: PathBuf, bytes: u64) -> io::Result<Option<Self>> {
        let file = match sys::open_without_links(&path) {
            Ok(file) => file,
            Err(error) if is_something_else(&path, &error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !sys::is_our_own(&metadata) || metadata.len() < bytes {
            return Ok(None);
        }
        Ok(Some(Self {
            file: Arc::new(OpenFile::new(file, &path, Caching::Direct)),
            path,
            has_excess: metadata.len() > bytes,
            // Like after the checkpoint that kept it.
            keep: true,
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn open_file(&self) -> Arc<OpenFile> {
        self.file.clone()
    }

    /// Returns another handle of the file, to read it.
    pub(super) fn to_read(&self) -> io::Result<File> {
        self.file.file.try_clone()
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file.file.metadata()
    }

    /// Whether the staged name still leads to this file.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => Ok(found.is_file() && sys::is_same_file(&found, &self.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn has_excess(&self) -> bool {
        self.has_excess
    }

    /// Truncates a resumed file to its first `bytes`.
    pub(super) fn cut(&mut self, bytes: u64) -> io::Result<()> {
        if self.has_excess {
            self.file.file.set_len(bytes)?;
            self.has_excess = false;
        }
        Ok(())
    }

    /// Syncs content and size to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.file.sync_all()
    }

    /// Makes a drop leave the file.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// Removes the file.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.keep = true;
        remove(&self.path)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let removal = Removal(std::mem::take(&mut self.path));
        match Handle::try_current() {
            // A runtime that is shutting down drops the closure, which removes the file as well.
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(removal))),
            Err(_) => drop(removal),
        }
    }
}

/// Removes a file when it is dropped.
struct Removal(PathBuf);

impl Drop for Removal {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            let path = self.0.display();
            tracing::warn!(%path, %error, "could not remove the staged file {path}: {error}");
        }
    }
}

impl OpenFile {
    #[cfg(target_os = "linux")]
    fn new(file: File, path: &Path, caching: Caching) -> Self {
        let direct = match caching {
            Caching::Direct => DirectIo::open(path, &file),
            Caching::PageCache => None,
        };
        Self { file, direct }
    }

    #[cfg(not(target_os = "linux"))]
    fn new(file: File, _: &Path, _: Caching) -> Self {
        Self { file }
    }

    /// Writes `chunks`, one after the other, from byte `at` on.
    pub(super) fn write(&self, chunks: &[Bytes], mut at: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(direct) = &self.direct {
            return direct.write(&self.file, chunks, at);
        }
        for chunk in chunks {
            sys::write_all_at(&self.file, chunk, at)?;
            at += chunk.len() as u64;
        }
        Ok(())
    }
}

/// Creates a file that must not exist. A link in its place counts as existing.
fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// Whether a staged file cannot be opened because it is missing, or because something else has its
/// name.
fn is_something_else(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || fs::symlink_metadata(path).is_ok_and(|found| !found.is_file())
}

/// Removes a staged file. One that is already gone is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
