//! A folder as a sink.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, OpenOptions, Probe, Resumed, Sink, SinkError, SinkErrorKind, SinkLister,
    SinkReader, SinkWriter, StaleUpload, StoredObject, WriteMode, staged_name, staged_target,
};
use tulip_core::{ObjectKey, Timestamp};

use super::destination::{Destination, stored};
use super::error::from_io;
use super::lister::FileLister;
use super::options::{CAPABILITIES, Limits};
use super::reader::{FileReader, is_nothing};
use super::staged_file::{StagedFile, remove};
use super::writer::FileWriter;
use super::{blocking, probe, sweep};

/// A folder. A key is a path below it.
#[derive(Debug)]
pub(super) struct FsSink {
    folder: PathBuf,
    limits: Limits,
    /// The result of the probe.
    probed: OnceCell<Capabilities>,
    /// Folders that were already swept of stale files.
    swept: Mutex<BTreeSet<PathBuf>>,
}

impl FsSink {
    pub(super) fn new(folder: PathBuf, limits: Limits) -> Self {
        Self {
            folder,
            limits,
            probed: OnceCell::new(),
            swept: Mutex::default(),
        }
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.folder.join(key.as_str())
    }

    async fn probed(&self) -> Result<Capabilities, SinkError> {
        let folder = self.folder.clone();
        let run = || blocking::run(move || probe::probe(&folder));
        self.probed.get_or_try_init(run).await.copied()
    }

    /// Returns the destination of `key`, or an error if the file system does not support what
    /// `options` ask for.
    async fn destination(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Destination, SinkError> {
        let (file, mode) = (self.path(key), options.mode);
        if mode == WriteMode::Create && !self.probed().await?.atomic_create {
            let what = format!(
                "cannot create {} without the risk of replacing a file: the file system has neither \
                 a rename that does not replace nor hard links",
                file.display()
            );
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        Ok(Destination { file, mode })
    }

    /// Whether `folder` has yet to be swept, which happens once per sink. Marks it as swept.
    fn is_unswept(&self, folder: &Path) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        !swept.contains(folder) && swept.insert(folder.to_owned())
    }

    /// Returns the staged file of an earlier writer of `key`. `None` if the resume token, which
    /// comes from outside, names anything else.
    fn staged(&self, key: &ObjectKey, left: &StaleUpload) -> Option<PathBuf> {
        let name = left.resume_token.as_deref()?;
        let file = self.path(key);
        let target = file.file_name()?.to_str()?;
        (staged_target(name)? == target).then(|| file.with_file_name(name))
    }
}

#[async_trait]
impl Sink for FsSink {
    fn scheme(&self) -> &str {
        "file"
    }

    fn location(&self, key: &ObjectKey) -> String {
        self.path(key).display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    /// Creates the folder if it is missing, then creates, syncs, renames and removes files in it.
    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        self.probed().await.map(Probe::checked)
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        let path = self.path(key);
        blocking::run(move || match fs::metadata(&path) {
            Ok(found) => Ok(found.is_file().then(|| stored(&found))),
            Err(error) if is_nothing(&error) => Ok(None),
            Err(error) => Err(from_io(error, format!("cannot look up {}", path.display()))),
        })
        .await
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let destination = self.destination(key, options).await?;
        let name = key.segments().last().unwrap_or_default();
        let name = staged_name(name, fastrand::u32(..));
        let staged = destination.file.with_file_name(name);
        let folder = destination.file.parent().unwrap_or(&self.folder);
        let folder = self.is_unswept(folder).then(|| folder.to_owned());
        let checked = destination.clone();
        blocking::run(move || {
            if let Some(folder) = folder {
                sweep::sweep_folder(&folder);
            }
            checked.check()
        })
        .await?;
        let writer =
            FileWriter::new(destination, staged, self.limits.clone()).announced(options.size_hint);
        Ok(Box::new(writer))
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let opened = FileReader::open(self.path(key)).await?;
        Ok(opened.map(|reader| Box::new(reader) as Box<dyn SinkReader>))
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        Ok(Box::new(FileLister::new(self.folder.clone())))
    }

    async fn resume(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        left: &StaleUpload,
        bytes: u64,
    ) -> Result<Option<Resumed>, SinkError> {
        let Some(path) = self.staged(key, left) else {
            return Ok(None);
        };
        let destination = self.destination(key, options).await?;
        let checked = destination.clone();
        let opened = blocking::run(move || {
            checked.check()?;
            let what = format!("cannot resume {}", path.display());
            let opened = StagedFile::resume(path, bytes).and_then(|staged| {
                let Some(staged) = staged else {
                    return Ok(None);
                };
                Ok(Some((staged.to_read()?, staged)))
            });
            opened.map_err(|error| from_io(error, what))
        })
        .await?;
        Ok(opened.map(|(file, staged)| {
            // A handle of the file itself: another that takes its name meanwhile is never read.
            let kept = FileReader::new(staged.path().to_owned(), file, bytes);
            let writer = FileWriter::resume(destination, staged, bytes, self.limits.clone());
            Resumed::new(Box::new(writer), Box::new(kept))
        }))
    }

    async fn discard(&self, key: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        let Some(path) = self.staged(key, left) else {
            return Ok(());
        };
        blocking::run(move || {
            let what = format!("cannot remove {}", path.display());
            remove(&path).map_err(|error| from_io(error, what))
        })
        .await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        let folder = self.folder.clone();
        blocking::run(move || sweep::sweep_all(&folder, before.as_system_time())).await
    }
}
