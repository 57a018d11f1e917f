//! Local files.

mod read;
mod staged;
mod sweep;
mod upload;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use object_store::local::LocalFileSystem;
use tulip_core::sink::{
    Capabilities, ConnectOptions, Leftover, OpenOptions, Probe, Resumed, Sink, SinkError,
    SinkErrorKind, SinkFactory, SinkLister, SinkOption, SinkReader, SinkUrl, SinkWriter,
    StoredObject, WriteMode,
};
use tulip_core::{ObjectKey, Timestamp};

use crate::object::error::{from_store, kind_of};
use crate::object::parts::{Buffering, MIB};
use crate::object::settings::{self, Settings};
use crate::object::staging;
use crate::object::store::Store;
use crate::object::target::Route;
use read::FileReader;
pub(crate) use upload::FileUpload;

tulip_core::register_sink!(FsFactory);

/// Files are written in order, one part after the other: enough in flight that a disk has the next one
/// when it is done with one. More would only cost memory.
const BUFFERING: Buffering = Buffering {
    part: 2 * MIB,
    memory: 6 * MIB,
};

const CAPABILITIES: Capabilities = Capabilities::NONE
    .with_lookup()
    .with_atomic_create()
    .with_read()
    .with_resume();

struct FsFactory;

#[async_trait]
impl SinkFactory for FsFactory {
    fn scheme(&self) -> &str {
        "file"
    }

    fn summary(&self) -> &str {
        "local files, synced to disk"
    }

    fn example(&self) -> &str {
        "./out or file:///data/tulip"
    }

    fn options(&self) -> &[SinkOption] {
        &[settings::MEMORY, settings::PART_SIZE]
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn feature(&self) -> Option<&str> {
        Some("fs")
    }

    async fn connect(&self, url: &SinkUrl, _: &ConnectOptions) -> Result<Arc<dyn Sink>, SinkError> {
        let invalid = |what: String| SinkError::new(SinkErrorKind::InvalidTarget, what);
        let buffering = Settings::of(url).buffering(BUFFERING)?;
        let folder = url
            .to_file_path()
            .ok_or_else(|| invalid(format!("{url} is not the URL of a local folder")))?;
        let root = object_store::path::Path::from_absolute_path(&folder).map_err(|error| {
            let what = format!("{} cannot be a folder for archives", folder.display());
            invalid(what).with_source(error)
        })?;
        let store = LocalFileSystem::new().with_fsync(true);
        Ok(Arc::new(FsSink {
            folder,
            swept: Mutex::default(),
            store: Store::new(Arc::new(store), root, buffering),
        }))
    }
}

/// A folder. Files are staged beside their place under a name that starts with a dot, synced to
/// disk, then renamed.
#[derive(Debug)]
struct FsSink {
    folder: PathBuf,
    /// The folders that have been swept of what killed runs had staged.
    swept: Mutex<BTreeSet<PathBuf>>,
    store: Store,
}

impl FsSink {
    /// The file `name` in the folder of `key`'s.
    fn beside(&self, key: &ObjectKey, name: &str) -> PathBuf {
        self.folder.join(key.as_str()).with_file_name(name)
    }

    /// Removes what killed runs have staged beside `file`, once for each folder.
    async fn sweep_beside(&self, file: &Path) {
        let Some(folder) = file.parent().map(Path::to_owned) else {
            return;
        };
        let first = match self.swept.lock() {
            Ok(mut swept) => swept.insert(folder.clone()),
            Err(_) => false,
        };
        if first {
            let stale = SystemTime::now() - sweep::STALE;
            let sweep = move || sweep::sweep(&folder, stale);
            if let Err(error) = tokio::task::spawn_blocking(sweep).await {
                tracing::warn!(%error, "stale staged files were not looked for");
            }
        }
    }
}

#[async_trait]
impl Sink for FsSink {
    fn scheme(&self) -> &str {
        "file"
    }

    fn location(&self, key: &ObjectKey) -> String {
        self.folder.join(key.as_str()).display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    /// Creates the folder where it is missing, and a file in it that is removed at once.
    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        let folder = self.folder.clone();
        let probed = tokio::task::spawn_blocking(move || try_folder(&folder)).await;
        probed.unwrap_or_else(|error| {
            let what = format!("cannot look at {}", self.folder.display());
            Err(SinkError::new(SinkErrorKind::Other, what).with_source(error))
        })?;
        Ok(Probe::checked(CAPABILITIES))
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        self.store.lookup(key, &self.location(key)).await
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        // The store beneath keeps such names for itself, and would only say so at the end.
        if let Some((_, turn)) = key.as_str().rsplit_once('#')
            && !turn.is_empty()
            && turn.bytes().all(|byte| byte.is_ascii_digit())
        {
            let what = format!("a file name cannot end in #{turn}: {key}");
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        }
        self.sweep_beside(&self.folder.join(key.as_str())).await;
        let staged = self.store.staging(key)?;
        let name = staged.filename().unwrap_or_default();
        let file = self.beside(key, name);
        let route = Route::File { staged, file };
        let store = self.store.store.clone();
        self.store
            .open(key, options, store, route, None, self.location(key))
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let opened = FileReader::open(self.folder.join(key.as_str()), u64::MAX).await?;
        Ok(opened.map(|reader| Box::new(reader) as Box<dyn SinkReader>))
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        let shown = self.folder.display().to_string();
        Ok(Box::new(self.store.list(&shown)))
    }

    async fn resume(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        left: &Leftover,
        bytes: u64,
    ) -> Result<Option<Resumed>, SinkError> {
        let Some(name) = staged_name(left) else {
            return Ok(None);
        };
        let file = self.beside(key, name);
        let failed = |error| from_store(error, format!("cannot go on with {}", file.display()));
        let reopened = FileUpload::reopen(file.clone(), bytes).await;
        let Some(upload) = reopened.map_err(failed)? else {
            return Ok(None);
        };
        let Some(kept) = FileReader::open(file.clone(), bytes).await? else {
            return Ok(None);
        };
        let staged = self.store.beside(key, name)?;
        let route = Route::File { staged, file };
        let store = self.store.store.clone();
        let writer = self
            .store
            .writer(key, options, store, route, None, self.location(key))?;
        Ok(Some(Resumed {
            writer: Box::new(writer.behind(upload, bytes)),
            kept: Box::new(kept),
        }))
    }

    async fn discard(&self, key: &ObjectKey, left: &Leftover) -> Result<(), SinkError> {
        let Some(name) = staged_name(left) else {
            return Ok(());
        };
        let file = self.beside(key, name);
        let what = format!("cannot remove {}", file.display());
        blocking(what, move || upload::remove(&file)).await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        let folder = self.folder.clone();
        let what = format!("cannot look through {}", folder.display());
        blocking(what, move || {
            sweep::sweep_all(&folder, before.as_system_time())
        })
        .await
    }
}

/// The staged file of a writer. A trace that is none is nobody's file: it came from outside.
fn staged_name(left: &Leftover) -> Option<&str> {
    let name = left.trace.as_deref()?;
    (staging::is_staged(name) && !name.contains(['/', '\\'])).then_some(name)
}

async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SinkError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(io::Error::other).and_then(|done| done);
    done.map_err(|error| from_io(&error, what))
}

fn try_folder(folder: &Path) -> Result<(), SinkError> {
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        let what = format!("the target {shown} is a file, not a folder");
        return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
    }
    std::fs::create_dir_all(folder)
        .map_err(|error| from_io(&error, format!("cannot create the folder {shown}")))?;
    // Under a name that is always the same, so that a probe removes what one before was killed in; under
    // another where somebody else probes at this moment, or has left a file that is not ours to remove.
    let tried = match try_file(&folder.join(staging::name("tulip-probe", 0))) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            try_file(&folder.join(staging::name("tulip-probe", fastrand::u32(1..))))
        }
        tried => tried,
    };
    tried.map_err(|error| from_io(&error, format!("cannot write into the folder {shown}")))
}

fn try_file(file: &Path) -> io::Result<()> {
    // What cannot be removed is found to be there.
    let _ = upload::remove(file);
    let mut probe = std::fs::File::create_new(file)?;
    let written = probe.write_all(b"probe");
    drop(probe);
    written.and(upload::remove(file))
}

/// Maps a plain I/O error.
fn from_io(error: &io::Error, what: impl Into<String>) -> SinkError {
    SinkError::new(kind_of(error.kind()), what).with_source(error.to_string())
}
