//! The public interface of the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tulip_archive::StateError;
use tulip_archive::state::{Claim, ClaimOutcome, StateStore, StoredRecord};
use tulip_core::sink::async_trait;
use tulip_fleet::ledger::{BeginOutcome, Ledger, NewRun, RunOverview};
use tulip_fleet::{ItemSummary, RunEnd, RunSummary};

use crate::database::Session;
use crate::repair::{self, Repaired};
use crate::writer::Writer;
use crate::{error, exports, folder, runs, schema};

/// Keeps incomplete exports and runs in an SQLite database, so that they outlive the process.
/// Cloning is cheap. Dropping the last clone waits for queued writes, and closes the database.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    writer: Arc<Writer>,
}

impl SqliteLedger {
    /// Opens the ledger in `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be created or used, when others can write to the folder (its
    /// contents decide which files are removed), or when the database is damaged or of a newer
    /// version.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder = folder.into();
        Self::create_folder(&folder)?;
        let writer = Arc::new(Writer::start(&folder)?);
        Ok(Self { writer })
    }

    /// Creates `folder` if it is missing, private to its user, and nothing in it.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be created, or others can write to it.
    pub fn create_folder(folder: &Path) -> Result<(), StateError> {
        let ready = folder::create(folder).and_then(|()| folder::check_owner(folder));
        ready.map_err(|error| error::files(folder, error))
    }

    /// Whether there is a database in `folder`.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(schema::FILE).exists()
    }

    /// Returns the folder of the database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.writer.folder()
    }

    /// Returns the damage that SQLite finds in the database, a line for each; empty if it is sound.
    /// Reads the whole file.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be read.
    pub async fn damage(&self) -> Result<Vec<String>, StateError> {
        let work = |session: &mut Session<'_>| session.run(|open| repair::check(open));
        self.writer.call(false, work).await
    }

    /// Moves a damaged database in `folder` aside, and copies what can still be read into a new
    /// one. An undamaged database is rebuilt too. The old file is kept.
    ///
    /// # Errors
    /// [`StateError`] when another process is using it, when it is of a newer version, or when the
    /// new one cannot be written.
    pub fn repair(folder: impl Into<PathBuf>) -> Result<Repaired, StateError> {
        let folder = folder.into();
        Self::create_folder(&folder)?;
        repair::repair(&folder)
    }
}

#[async_trait]
impl StateStore for SqliteLedger {
    async fn claim(&self, id: &str, new: Option<String>) -> Result<ClaimOutcome, StateError> {
        let id = id.to_owned();
        let work = move |session: &mut Session<'_>| exports::claim(session, &id, new.as_deref());
        let undo = |session: &Session<'_>, outcome: &ClaimOutcome| match outcome {
            ClaimOutcome::Found { claim, .. } | ClaimOutcome::Created(claim) => {
                exports::release(session, claim)
            }
            _ => Ok(()),
        };
        self.writer.call_or_undo(false, work, undo).await
    }

    async fn check(&self, claim: &Claim) -> Result<(), StateError> {
        let claim = claim.clone();
        let work = move |session: &mut Session<'_>| exports::is_in_force(session, &claim);
        in_force(self.writer.call(false, work).await?)
    }

    async fn save(&self, claim: &Claim, record: String, durable: bool) -> Result<(), StateError> {
        let claim = claim.clone();
        let work = move |session: &mut Session<'_>| exports::save(session, &claim, &record);
        in_force(self.writer.call(durable, work).await?)
    }

    async fn remove(&self, claim: &Claim) -> Result<(), StateError> {
        let claim = claim.clone();
        let work = move |session: &mut Session<'_>| exports::remove(session, &claim);
        in_force(self.writer.call(false, work).await?)
    }

    fn release(&self, claim: Claim) {
        self.writer
            .send(move |session| exports::release(session, &claim));
    }

    async fn list(&self) -> Result<Vec<StoredRecord>, StateError> {
        let work = |session: &mut Session<'_>| exports::list(session);
        self.writer.call(false, work).await
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn begin(&self, new: NewRun) -> Result<BeginOutcome, StateError> {
        let work = move |session: &mut Session<'_>| runs::begin(session, &new);
        let undo = |session: &Session<'_>, outcome: &BeginOutcome| match outcome {
            BeginOutcome::Claimed { claim, .. } => runs::release(session, claim),
            _ => Ok(()),
        };
        self.writer.call_or_undo(true, work, undo).await
    }

    async fn check(&self, claim: &Claim) -> Result<(), StateError> {
        let claim = claim.clone();
        let work = move |session: &mut Session<'_>| runs::is_in_force(session, &claim);
        in_force(self.writer.call(false, work).await?)
    }

    async fn record(&self, claim: &Claim, item: ItemSummary) -> Result<(), StateError> {
        let claim = claim.clone();
        let work = move |session: &mut Session<'_>| runs::record(session, &claim, &item);
        in_force(self.writer.call(false, work).await?)
    }

    async fn end(
        &self,
        claim: &Claim,
        end: RunEnd,
        reason: Option<String>,
    ) -> Result<(), StateError> {
        let claim = claim.clone();
        let work =
            move |session: &mut Session<'_>| runs::end(session, &claim, end, reason.as_deref());
        in_force(self.writer.call(true, work).await?)
    }

    fn release(&self, claim: Claim) {
        self.writer
            .send(move |session| runs::release(session, &claim));
    }

    async fn runs(&self) -> Result<Vec<RunOverview>, StateError> {
        let work = |session: &mut Session<'_>| runs::list(session);
        self.writer.call(false, work).await
    }

    async fn run(&self, id: &str) -> Result<Option<RunSummary>, StateError> {
        let id = id.to_owned();
        let work = move |session: &mut Session<'_>| runs::find(session, &id);
        self.writer.call(false, work).await
    }

    async fn remove(&self, id: &str) -> Result<bool, StateError> {
        let id = id.to_owned();
        let work = move |session: &mut Session<'_>| runs::remove(session, &id);
        self.writer.call(false, work).await
    }
}

fn in_force(done: bool) -> Result<(), StateError> {
    match done {
        true => Ok(()),
        false => Err(StateError::fenced()),
    }
}
