//! Local files.

mod sweep;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use object_store::local::LocalFileSystem;
use tulip_core::ObjectKey;
use tulip_core::sink::{
    Capabilities, ConnectOptions, OpenOptions, Sink, SinkError, SinkErrorKind, SinkFactory,
    SinkOption, SinkUrl, SinkWriter, StoredObject,
};

use crate::object::error::kind_of;
use crate::object::parts::{Buffering, MIB};
use crate::object::settings::{self, Settings};
use crate::object::store::Store;
use crate::object::writer::Route;

tulip_core::register_sink!(FsFactory);

/// Files are written in order, one part after the other: more in flight would only cost memory.
const BUFFERING: Buffering = Buffering {
    part: 4 * MIB,
    memory: 12 * MIB,
};

const CAPABILITIES: Capabilities = Capabilities::NONE.with_lookup().with_atomic_create();

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
            let sweep = move || sweep::sweep(&folder, SystemTime::now());
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
    async fn probe(&self) -> Result<(), SinkError> {
        let folder = self.folder.clone();
        let probed = tokio::task::spawn_blocking(move || try_folder(&folder)).await;
        probed.unwrap_or_else(|error| {
            let what = format!("cannot look at {}", self.folder.display());
            Err(SinkError::new(SinkErrorKind::Other, what).with_source(error))
        })
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
        let staged = Route::Staged {
            path: self.store.staging(key)?,
            whole: true,
        };
        let store = self.store.store.clone();
        self.store
            .open(key, options, store, staged, None, self.location(key))
    }
}

fn try_folder(folder: &Path) -> Result<(), SinkError> {
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        let what = format!("the target {shown} is a file, not a folder");
        return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
    }
    std::fs::create_dir_all(folder)
        .map_err(|error| from_io(&error, format!("cannot create the folder {shown}")))?;
    let name = format!(".tulip-probe.{:08x}", fastrand::u32(..));
    let file = folder.join(name);
    let written = std::fs::File::create_new(&file).and_then(|mut probe| probe.write_all(b"probe"));
    let removed = std::fs::remove_file(&file);
    written
        .and(removed)
        .map_err(|error| from_io(&error, format!("cannot write into the folder {shown}")))
}

/// Maps a plain I/O error.
fn from_io(error: &io::Error, what: impl Into<String>) -> SinkError {
    SinkError::new(kind_of(error.kind()), what).with_source(error.to_string())
}
