//! The manifest that a run leaves at the target for loaders: one object that lists the exports, and
//! says whether all archives are there.

use serde::Serialize;
use tulip_archive::core::sink::{OpenOptions, Sink, SinkError, SinkErrorKind};
use tulip_archive::core::{Timestamp, Tool};
use tulip_archive::{Checksum, JobId, MachineId, ObjectKey, RUNS_FOLDER};

use crate::{Counts, ItemSummary, RunSummary};

/// The version of the manifest's fields. Fields may be added without changing it.
const VERSION: u32 = 1;

/// The manifest of a run, as JSON at the target: `_runs/ID.json`.
///
/// It is written last, so a loader that waits for it reads nothing that is still being written.
/// Loaders that read the whole folder skip it, because the name of its folder begins with `_`.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of these fields.
    pub version: u32,
    /// The run's id, which begins with its start time.
    pub run: String,
    /// When the run started.
    pub started: Timestamp,
    /// When its last export ended.
    pub ended: Timestamp,
    /// Whether every export of the run is stored or unchanged.
    pub whole: bool,
    /// The part of the machines that the run has exported, such as `2/3`; `None` for all.
    pub shard: Option<String>,
    /// The program that wrote the manifest.
    pub tool: Tool,
    /// The exports by outcome, with their total bytes and records.
    pub counts: Counts,
    /// Every export, in the order in which they ended.
    pub exports: Vec<ManifestEntry>,
}

/// One export of a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ManifestEntry {
    /// The machine, if it is known.
    pub machine: Option<MachineId>,
    /// Its name, if it is known.
    pub machine_name: Option<String>,
    /// The name of its type, if it is known.
    pub machine_type: Option<String>,
    /// The job, if it is known.
    pub job: Option<JobId>,
    /// How the export ended: [`ItemOutcome::as_str`](crate::ItemOutcome::as_str).
    pub outcome: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// The object, or `None` if there is none.
    pub object: Option<ManifestObject>,
    /// The error, on one line.
    pub error: Option<String>,
    /// The class of the error: [`ExportErrorKind::as_str`](tulip_archive::ExportErrorKind::as_str).
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
    /// The key of its receipt; `None` for an existing object without one.
    pub receipt: Option<ObjectKey>,
    /// Its size in bytes. Like the two fields below, `None` for an existing object that was kept
    /// without reading its receipt.
    pub bytes: Option<u64>,
    /// Its number of records, excluding the header.
    pub records: Option<u64>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl Manifest {
    /// Returns the manifest of a run that has ended. `tool` is the program that ran it.
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

    /// Returns the key of the manifest. Two runs never have the same key; a continued run replaces
    /// its manifest.
    ///
    /// # Errors
    /// [`SinkError`] if [`Manifest::run`], which a caller may have changed, cannot be part of a
    /// key.
    pub fn key(&self) -> Result<ObjectKey, SinkError> {
        ObjectKey::new(&format!("{RUNS_FOLDER}/{}.json", self.run))
            .map_err(|error| SinkError::new(SinkErrorKind::Other, error.to_string()))
    }

    /// Writes the manifest. Call this after everything else is written.
    ///
    /// # Errors
    /// [`SinkError`] of the sink; nothing new is visible then, unless the store's answer was lost.
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing partial visible, but the whole manifest may be.
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
                // The first error is the one to report.
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
