//! The record of the export that is running, which nobody else can run meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use super::file::{self, Durable, Lock};
use super::record::Record;
use super::store::StateError;

/// A record, and the lock on it.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Arc<Place>,
    pub(crate) record: Record,
    /// An earlier run, which has ended, had begun it.
    pub(crate) is_old: bool,
    /// How often it was written.
    saves: u64,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) lock: Lock,
    /// The number of what was written last.
    pub(super) written: Mutex<u64>,
}

impl Entry {
    pub(super) fn new(place: Place, record: Record, is_old: bool) -> Self {
        Self {
            place: Arc::new(place),
            record,
            is_old,
            saves: 0,
        }
    }

    /// Writes the record down. What must not be forgotten, whatever happens to the machine, is
    /// `durable`.
    ///
    /// # Cancellation
    /// Once begun, it is written also when this is dropped, unless what came later was written before.
    pub(crate) async fn save(&mut self, durable: bool) -> Result<(), StateError> {
        self.saves += 1;
        let number = self.saves;
        // A job that was started by us must not be lost over what comes behind it.
        let durable = match (durable, self.record.identity.job.is_some()) {
            (true, _) => Durable::Yes,
            (false, false) => Durable::Either,
            (false, true) => Durable::No,
        };
        let json = serde_json::to_vec_pretty(&self.record);
        let json = json.map_err(|error| StateError::write(&self.place.path, error.into()))?;
        self.blocking(move |place| {
            let mut written = place.written.lock().unwrap_or_else(PoisonError::into_inner);
            if *written < number {
                file::replace(&place.path, &json, durable)?;
                *written = number;
            }
            Ok(())
        })
        .await
    }

    /// Forgets the export.
    pub(crate) async fn remove(self) -> Result<(), StateError> {
        self.blocking(|place| {
            let mut written = place.written.lock().unwrap_or_else(PoisonError::into_inner);
            *written = u64::MAX;
            file::remove_replaced(&place.path)?;
            place.lock.remove()
        })
        .await
    }

    /// The lock is kept until `work` has been done.
    async fn blocking(
        &self,
        work: impl FnOnce(&Place) -> io::Result<()> + Send + 'static,
    ) -> Result<(), StateError> {
        let place = self.place.clone();
        let done = spawn_blocking(move || work(&place)).await;
        let done = done.map_err(io::Error::other).and_then(|done| done);
        done.map_err(|error| StateError::write(&self.place.path, error))
    }
}
