//! A local file on its way: written under its staged name, in parts, at their places.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::{Error as StoreError, MultipartUpload, PutPayload, PutResult, UploadPart};
use tokio::task::spawn_blocking;

use super::staged::StagedFile;

/// A whole object of fewer bytes, such as a receipt, goes through the page cache: what that costs is
/// less than a write of its own.
const SMALL: usize = 256 * 1024;

/// A staged file that is being written. Without an end, it is removed when it is dropped, unless it
/// is to be kept.
#[derive(Debug)]
pub(crate) struct FileUpload {
    path: PathBuf,
    /// `None` once it has been completed or aborted.
    file: Option<Arc<StagedFile>>,
    /// Where the next part begins.
    end: u64,
    keep: bool,
}

impl FileUpload {
    /// Begins the file, and the folders that it lies in.
    pub(crate) async fn create(path: PathBuf) -> object_store::Result<Self> {
        blocking(move || {
            let file = create(&path, StagedFile::create)?;
            Ok(Self::of(path, Arc::new(file), 0))
        })
        .await
    }

    /// Goes on behind the first `bytes` of a file that is there; `None` where it has fewer, or is gone.
    pub(crate) async fn reopen(path: PathBuf, bytes: u64) -> object_store::Result<Option<Self>> {
        blocking(move || {
            let staged = match StagedFile::open(&path) {
                Ok(staged) => staged,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let file = staged.file();
            let metadata = file.metadata()?;
            if !metadata.is_file() || metadata.len() < bytes || has_another_name(&metadata) {
                return Ok(None);
            }
            file.set_len(bytes)?;
            let mut upload = Self::of(path, Arc::new(staged), bytes);
            // It was kept before, and is until it is aborted or done.
            upload.keep = true;
            Ok(Some(upload))
        })
        .await
    }

    /// Writes a whole file at once.
    pub(crate) async fn put(path: PathBuf, payload: PutPayload) -> object_store::Result<()> {
        blocking(move || {
            let open = match payload.content_length() < SMALL {
                true => StagedFile::create_cached,
                false => StagedFile::create,
            };
            let file = Arc::new(create(&path, open)?);
            let upload = Self::of(path, file.clone(), 0);
            file.write(payload, 0)?;
            file.file().sync_all()?;
            upload.done();
            Ok(())
        })
        .await
    }

    fn of(path: PathBuf, file: Arc<StagedFile>, end: u64) -> Self {
        Self {
            path,
            file: Some(file),
            end,
            keep: false,
        }
    }

    /// Leaves the file where it is, however this ends, except by an abort.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// Nothing is to be removed any more.
    fn done(mut self) {
        self.file = None;
    }

    fn open_file(&self) -> object_store::Result<Arc<StagedFile>> {
        let ended = || generic(io::Error::other("the file has been closed"));
        self.file.clone().ok_or_else(ended)
    }
}

#[async_trait]
impl MultipartUpload for FileUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let at = self.end;
        self.end += payload.content_length() as u64;
        let file = self.open_file();
        Box::pin(async move {
            let file = file?;
            blocking(move || file.write(payload, at)).await
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let file = self.open_file()?;
        blocking(move || file.file().sync_all()).await?;
        self.file = None;
        Ok(PutResult {
            e_tag: None,
            version: None,
            extensions: Default::default(),
        })
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.file = None;
        let path = self.path.clone();
        blocking(move || remove(&path)).await
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        if self.file.take().is_none() || self.keep {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            if let Err(error) = remove(&path) {
                tracing::warn!(path = %path.display(), %error, "a staged file stays behind");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// A file that was to be made under a name that nobody has is linked there before its staged name goes:
/// in between, what looks like a beginning is the whole, and can be seen.
#[cfg(unix)]
fn has_another_name(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_another_name(_: &std::fs::Metadata) -> bool {
    false
}

/// Removes a staged file; one that is gone already is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a file, and the folders that it lies in where they are missing.
fn create(path: &Path, open: impl Fn(&Path) -> io::Result<StagedFile>) -> io::Result<StagedFile> {
    match (open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            create_folders(folder)?;
            open(path)
        }
        (created, _) => created,
    }
}

/// Creates `folder` and what is missing above it, each synced into the one that it lies in: a file
/// would not outlast a loss of power in a folder that does not.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_folders(above)?;
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        #[cfg(unix)]
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    spawn_blocking(work).await?.map_err(generic)
}

fn generic(error: io::Error) -> StoreError {
    StoreError::Generic {
        store: "LocalFileSystem",
        source: Box::new(error),
    }
}
