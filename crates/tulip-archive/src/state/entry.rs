//! The record of a running export, locked against other processes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use super::error::StateError;
use super::journal::Journal;
use super::record::Record;

/// A record and its locked file.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Arc<Place>,
    pub(crate) record: Record,
    /// Whether an earlier run has left it.
    pub(crate) is_old: bool,
    /// Whether another run would find it as it is.
    pub(crate) is_written: bool,
    /// How often it was written.
    saves: u64,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    journal: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    journal: Journal,
    /// The number of what was written last.
    last: u64,
}

impl Entry {
    /// What was found, in its file.
    pub(super) fn old(path: PathBuf, journal: Journal, record: Record) -> Self {
        Self::of(path, journal, record, true)
    }

    /// Writes a new record into a file that holds none.
    pub(super) fn create(path: PathBuf, mut journal: Journal, record: Record) -> io::Result<Self> {
        journal.append(&serde_json::to_string(&record)?, false)?;
        Ok(Self::of(path, journal, record, false))
    }

    fn of(path: PathBuf, journal: Journal, record: Record, is_old: bool) -> Self {
        let journal = Mutex::new(Written { journal, last: 0 });
        Self {
            place: Arc::new(Place { path, journal }),
            record,
            is_old,
            is_written: true,
            saves: 0,
        }
    }

    /// Writes the record down. What must not be forgotten, whatever happens to the machine, is
    /// `durable`.
    ///
    /// # Cancellation
    /// Once started, the write completes also when this is dropped, unless a later one came first.
    pub(crate) async fn save(&mut self, durable: bool) -> Result<(), StateError> {
        self.saves += 1;
        let number = self.saves;
        let line = serde_json::to_string(&self.record);
        let line = line.map_err(|error| StateError::write(&self.place.path, error.into()))?;
        self.is_written = false;
        let saved = self.blocking(move |written| {
            if written.last < number {
                written.journal.append(&line, durable)?;
                written.last = number;
            }
            Ok(())
        });
        saved.await?;
        self.is_written = true;
        Ok(())
    }

    /// Forgets the export.
    pub(crate) async fn remove(self) -> Result<(), StateError> {
        self.blocking(|written| {
            written.last = u64::MAX;
            written.journal.remove()
        })
        .await
    }

    /// The file is kept until `work` has been done.
    async fn blocking(
        &self,
        work: impl FnOnce(&mut Written) -> io::Result<()> + Send + 'static,
    ) -> Result<(), StateError> {
        let place = self.place.clone();
        let done = spawn_blocking(move || {
            work(&mut place.journal.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let done = done.await.map_err(io::Error::other).and_then(|done| done);
        done.map_err(|error| StateError::write(&self.place.path, error))
    }
}
