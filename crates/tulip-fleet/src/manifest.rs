//! What a run leaves at the target for loaders: one object that tells what is there, and whether it
//! is all of it.

use serde::Serialize;
use tulip_archive::core::sink::{OpenOptions, Sink, SinkError, SinkErrorKind};
use tulip_archive::core::{Timestamp, Tool};
use tulip_archive::{Checksum, JobId, MachineId, ObjectKey, RUNS_FOLDER};

use crate::{Counts, ItemSummary, RunSummary};

/// The version of the manifest's fields. Fields may be added to it.
const VERSION: u32 = 1;

/// The manifest of a run, as JSON at the target: `_runs/ID.json`.
///
/// It is written last: a loader that waits for it reads nothing that is still being written.
/// Loaders that read the whole folder skip it, since its folder begins with `_`.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of these fields.
    pub version: u32,
    /// The id of the run, which begins with the time of its start.
    pub run: String,
    /// When the run began.
    pub started: Timestamp,
    /// When its last export ended.
    pub ended: Timestamp,
    /// Whether every export of the run is stored or unchanged.
    pub whole: bool,
    /// The part of the machines that the run has exported, such as `2/3`; `None` for all.
    pub shard: Option<String>,
    /// What wrote it.
    pub tool: Tool,
    /// How many exports have ended in each way, all bytes and all records.
    pub counts: Counts,
    /// Every export, in the order in which they ended.
    pub exports: Vec<ManifestEntry>,
}

/// One export of a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ManifestEntry {
    /// The machine, where it is known.
    pub machine: Option<MachineId>,
    /// Its name, where it is known.
    pub machine_name: Option<String>,
    /// The name of its type, where it is known.
    pub machine_type: Option<String>,
    /// The job, where one is known.
    pub job: Option<JobId>,
    /// How the export has ended: [`ItemOutcome::as_str`](crate::ItemOutcome::as_str).
    pub outcome: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// The object; `None` where there is none.
    pub object: Option<ManifestObject>,
    /// What went wrong, on one line.
    pub error: Option<String>,
    /// The class of that: [`ExportErrorKind::as_str`](tulip_archive::ExportErrorKind::as_str).
    pub error_kind: Option<String>,
    /// Tulip's `errorUniqueID`.
    pub error_unique_id: Option<String>,
}

/// An object of a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ManifestObject {
    /// Its key below the target.
    pub key: ObjectKey,
    /// The key of its receipt; `None` for an object that was there without one.
    pub receipt: Option<ObjectKey>,
    /// Its size; with the two below `None` for an object that was there and is kept, whose receipt
    /// was not read.
    pub bytes: Option<u64>,
    /// Its records, the header not counted.
    pub records: Option<u64>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl Manifest {
    /// The manifest of a run that has ended. `tool` is the program that ran it.
    #[must_use]
    pub fn of(run: &RunSummary, tool: Tool) -> Self {
        let mut items: Vec<_> = run.items.iter().collect();
        items.sort_by_key(|item| item.ended);
        Self {
            version: VERSION,
            run: run.id.clone(),
            started: run.started,
            ended: items.last().map_or(run.ended, |last| last.ended),
            whole: run.items.iter().all(|item| item.outcome.is_success()),
            shard: run.shard.clone(),
            tool,
            counts: run.counts(),
            exports: items.into_iter().map(ManifestEntry::of).collect(),
        }
    }

    /// Where it is stored. Two runs never have the same key; a run that is continued replaces its
    /// manifest.
    ///
    /// # Errors
    /// [`SinkError`] where [`Manifest::run`], which a caller may have changed, cannot be part of a
    /// key.
    pub fn key(&self) -> Result<ObjectKey, SinkError> {
        ObjectKey::new(&format!("{RUNS_FOLDER}/{}.json", self.run))
            .map_err(|error| SinkError::new(SinkErrorKind::Other, error.to_string()))
    }

    /// Writes it, after everything else that the run writes.
    ///
    /// # Errors
    /// [`SinkError`] of the sink; nothing is visible then.
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing visible.
    pub async fn write(&self, sink: &dyn Sink) -> Result<ObjectKey, SinkError> {
        let key = self.key()?;
        let json = serde_json::to_vec(self)
            .map_err(|error| SinkError::new(SinkErrorKind::Other, error.to_string()))?;
        let options = OpenOptions::default()
            .with_content_type("application/json")
            .with_size_hint(Some(json.len() as u64));
        let mut writer = sink.open(&key, &options).await?;
        match writer.write(json.into()).await {
            Ok(()) => writer.close().await.map(|_| key),
            Err(error) => {
                // What went wrong first is what there is to tell.
                drop(writer.abort().await);
                Err(error)
            }
        }
    }
}

impl ManifestEntry {
    fn of(item: &ItemSummary) -> Self {
        Self {
            machine: item.machine.clone(),
            machine_name: item.machine_name.clone(),
            machine_type: item.machine_type.clone(),
            job: item.job.clone(),
            outcome: item.outcome.as_str(),
            attempts: item.attempts,
            object: item.key.as_ref().map(|key| ManifestObject::of(item, key)),
            error: item.error.clone(),
            error_kind: item.error_kind.clone(),
            error_unique_id: item.error_unique_id.clone(),
        }
    }
}

impl ManifestObject {
    fn of(item: &ItemSummary, key: &ObjectKey) -> Self {
        Self {
            key: key.clone(),
            receipt: item.has_receipt.then(|| key.receipt()),
            bytes: item.bytes,
            records: item.records,
            checksum: item.checksum.clone(),
        }
    }
}
