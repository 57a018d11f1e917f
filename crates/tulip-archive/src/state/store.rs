//! The folder of records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tulip_core::sink::{Sink, SinkError, SinkErrorKind, SinkUrl, SinkUrlError};
use tulip_core::{JobId, ObjectKey, Timestamp};

use super::Identity;
use super::entry::Entry;
use super::error::StateError;
use super::journal::{self, Journal, Taken};
use super::record::{ID_LENGTH, Record, Settings, Start, VERSION};
use crate::Source;

/// A record is locked for a moment also by whoever only looks, so a lock is tried this often.
const LOOKS: u32 = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Remembers open exports in a folder, one small file each, so that they outlast the process.
///
/// The files hold no secret and no URL of an archive, and only their owner can read them. An
/// [`Exporter`](crate::Exporter) that was given a store attaches to the job that an earlier run of
/// the same export has started instead of starting another, resumes its download, and removes
/// what cannot be resumed. The folder must lie on a file system that
/// knows locks; several processes can share it.
#[derive(Debug, Clone)]
pub struct StateStore {
    folder: PathBuf,
    turns: Arc<Semaphore>,
}

/// How the files' names end: lines of JSON, each of which is all that is known by then.
const FORM: &str = "jsonl";

/// Whether a file can be one of ours, by its name: the folder may hold others.
fn is_of_an_export(path: &Path) -> bool {
    let id = path.file_stem().and_then(|stem| stem.to_str());
    path.extension().is_some_and(|extension| extension == FORM)
        && id.is_some_and(|id| {
            id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Exports that may look for their records at once: of thousands that start together most wait for
/// a thread anyway, and take less memory before they do.
const TURNS: usize = 32;

/// Why an open export was not given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardError {
    /// What it has left in its sink stays.
    #[error("what it has left stays")]
    Sink(#[from] SinkError),
    /// It cannot be forgotten.
    #[error("it cannot be forgotten")]
    State(#[from] StateError),
}

/// An export that is not finished.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IncompleteExport {
    /// Whether a process is at it now.
    pub running: bool,
    id: String,
    record: Record,
}

/// What comes of asking for an export's record.
pub(crate) enum Found {
    /// It is ours until it is dropped.
    Entry(Box<Entry>),
    /// Another run has it.
    Busy,
    /// It is not open, or no more.
    Nothing,
}

impl StateStore {
    /// A store in `folder`, which is created where it is missing.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be created, or others can write to it: what lies there
    /// decides which files are removed.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder = folder.into();
        let failed = |error| StateError::write(&folder, error);
        journal::create_folder(&folder).map_err(failed)?;
        journal::check_owner(&folder).map_err(failed)?;
        let turns = Arc::new(Semaphore::new(TURNS));
        Ok(Self { folder, turns })
    }

    /// Waits until this export may look for its record.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes the semaphore.
        self.turns.acquire().await.ok()
    }

    /// Where the files lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The exports that are open, the oldest first. A file that cannot be read as one is left out.
    ///
    /// # Errors
    /// [`StateError`] when the folder, or a file in it, cannot be read.
    pub fn list(&self) -> Result<Vec<IncompleteExport>, StateError> {
        let failed = |error| StateError::read(&self.folder, error);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if is_of_an_export(&path) {
                found.extend(Self::look(&path)?);
            }
        }
        found.sort_by_key(|open| (open.record.began, open.id.clone()));
        Ok(found)
    }

    fn look(path: &Path) -> Result<Option<IncompleteExport>, StateError> {
        let failed = |error| StateError::read(path, error);
        // Taken while it is read, so that it is not one that was finished meanwhile.
        let (running, content) = match Journal::take(path, false).map_err(failed)? {
            Taken::Ours(journal, content) => {
                // Whoever made it was killed before it had written a line.
                if journal::lines(&content).next().is_none() {
                    journal.remove().map_err(failed)?;
                }
                (false, content)
            }
            Taken::Busy => (true, journal::read(path).map_err(failed)?),
            Taken::Missing => return Ok(None),
        };
        let record = understand(path, &content).unwrap_or_else(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let cause = cause.unwrap_or_default();
            tracing::warn!(%error, cause, "ignoring a state file: {error}: {cause}");
            None
        });
        let id = path.file_stem().and_then(|stem| stem.to_str());
        Ok(record.zip(id).map(|(record, id)| IncompleteExport {
            running,
            id: id.to_owned(),
            record,
        }))
    }

    /// The record of an export, new or old.
    pub(crate) async fn begin(
        &self,
        identity: Identity,
        settings: Settings,
        began: Timestamp,
    ) -> Result<Found, StateError> {
        self.find(identity, settings, Some(began)).await
    }

    /// The record of an open export, if it still is one.
    pub(crate) async fn reopen(
        &self,
        identity: Identity,
        settings: Settings,
    ) -> Result<Found, StateError> {
        self.find(identity, settings, None).await
    }

    /// The record of an export; one that is not there is made where it begins now.
    async fn find(
        &self,
        identity: Identity,
        settings: Settings,
        begins: Option<Timestamp>,
    ) -> Result<Found, StateError> {
        for _ in 0..LOOKS {
            let (store, identity, settings) = (self.clone(), identity.clone(), settings.clone());
            let found = spawn_blocking(move || store.find_now(identity, settings, begins)).await;
            let failed = |error| StateError::write(&self.folder, io::Error::other(error));
            match found.map_err(failed)?? {
                Found::Busy => tokio::time::sleep(LOOK_AGAIN).await,
                found => return Ok(found),
            }
        }
        Ok(Found::Busy)
    }

    fn find_now(
        &self,
        identity: Identity,
        settings: Settings,
        begins: Option<Timestamp>,
    ) -> Result<Found, StateError> {
        let id = identity.id();
        let path = self.folder.join(format!("{id}.{FORM}"));
        let failed = |error| StateError::write(&path, error);
        let (journal, content) = match Journal::take(&path, begins.is_some()).map_err(failed)? {
            Taken::Ours(journal, content) => (journal, content),
            Taken::Busy => return Ok(Found::Busy),
            Taken::Missing => return Ok(Found::Nothing),
        };
        let old = understand(&path, &content)?.filter(|record| record.identity.id() == id);
        let entry = match (old, begins) {
            (Some(old), _) => Entry::old(path, journal, Record { settings, ..old }),
            (None, Some(began)) => {
                let record = Record::new(identity, settings, began);
                Entry::create(path.clone(), journal, record).map_err(failed)?
            }
            (None, None) => return Ok(Found::Nothing),
        };
        Ok(Found::Entry(Box::new(entry)))
    }

    /// Gives up an open export: removes what it has left in `sink`, which must be the one that it
    /// wrote to, then forgets it. Tells whether it did: not where a process is at it. A job that
    /// was started continues at Tulip.
    ///
    /// # Errors
    /// [`DiscardError`] when something stays. The export stays open then.
    pub async fn discard(
        &self,
        open: &IncompleteExport,
        sink: &dyn Sink,
    ) -> Result<bool, DiscardError> {
        let entry = match self.take(open).await? {
            Found::Entry(entry) => entry,
            Found::Busy => return Ok(false),
            Found::Nothing => return Ok(true),
        };
        let record = &entry.record;
        for staged in record.staged() {
            match sink.discard(&staged.key, &staged.left).await {
                Err(error) if error.kind() != SinkErrorKind::Unsupported => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        entry.remove().await?;
        Ok(true)
    }

    /// Forgets an open export, whatever it has left in its sink: see
    /// [`IncompleteExport::has_left_something`]. Tells whether it did: not where a process is at it.
    ///
    /// # Errors
    /// [`StateError`] when its file cannot be removed.
    pub async fn forget(&self, open: &IncompleteExport) -> Result<bool, StateError> {
        match self.take(open).await? {
            Found::Entry(entry) => entry.remove().await.map(|()| true),
            Found::Busy => Ok(false),
            Found::Nothing => Ok(true),
        }
    }

    async fn take(&self, open: &IncompleteExport) -> Result<Found, StateError> {
        let record = open.record.clone();
        self.reopen(record.identity, record.settings).await
    }
}

/// What every form of a record has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The record in a file, if there is one that this version understands.
fn understand(path: &Path, content: &[u8]) -> Result<Option<Record>, StateError> {
    for line in journal::lines(content) {
        if let Ok(Versioned { version }) = serde_json::from_slice(line)
            && version != VERSION
        {
            let foreign = format!("it has version {version}, this tulip reads version {VERSION}");
            return Err(StateError::read(path, io::Error::other(foreign)));
        }
        match serde_json::from_slice(line) {
            Ok(record) => return Ok(Some(record)),
            // Such a line can only be left by a machine that lost its power.
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "ignoring a damaged line of {path}: {error}");
            }
        }
    }
    Ok(None)
}

impl IncompleteExport {
    /// What is exported.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.record.source()
    }

    /// The job, once it is known.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        self.record.job()
    }

    /// Whether Tulip was asked for an archive and the answer was lost: it may have been started.
    #[must_use]
    pub fn is_start_unknown(&self) -> bool {
        matches!(self.record.start, Start::Asked { .. })
    }

    /// When the first run began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.record.began
    }

    /// The base URL of the instance.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.record.identity.instance
    }

    /// The workspace, for an account token.
    #[must_use]
    pub fn workspace(&self) -> Option<&str> {
        self.record.identity.workspace.as_deref()
    }

    /// Where the archive goes, without options that could be secrets.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.record.identity.target
    }

    /// The same as a URL, where the sink was made of one.
    ///
    /// # Errors
    /// [`SinkUrlError`] when it no longer is one.
    pub fn target_url(&self) -> Result<Option<SinkUrl>, SinkUrlError> {
        let url = self.record.settings.url.as_deref();
        url.map(SinkUrl::parse).transpose()
    }

    /// The object, once it was opened.
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        self.record.object.as_ref().map(|object| &object.key)
    }

    /// Whether something may be left in the sink, for [`StateStore::discard`] to remove.
    #[must_use]
    pub fn has_left_something(&self) -> bool {
        self.record.has_left_something()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.record.identity
    }

    /// Bytes of it that need not be downloaded again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let kept = self
            .record
            .object
            .as_ref()
            .and_then(|object| object.part.as_ref());
        kept.map_or(0, |part| part.bytes)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.record.settings
    }
}
