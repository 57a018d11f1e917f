//! What a run leaves at the target for loaders: one object that tells what is there, and whether it
//! is all of it.

use std::process;
use std::time::SystemTime;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tulip_archive::core::sink::{OpenOptions, Sink, SinkError, SinkErrorKind};
use tulip_archive::core::{Timestamp, Tool};
use tulip_archive::{Checksum, ExportErrorKind, JobId, MachineId, ObjectKey, RUNS_FOLDER};

use crate::{ItemError, ItemReport, Outcome, Shard};

/// The version of the manifest's fields. Fields may be added to it.
const VERSION: u32 = 1;

/// The manifest of a run, as JSON at the target: `_runs/ID.json`.
///
/// It is written last: a loader that waits for it reads nothing that is still being written. Loaders
/// that read the whole folder skip it, since its folder begins with `_`.
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

/// How many exports of a run have ended in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Stored by this run.
    pub stored: usize,
    /// At the target before.
    pub unchanged: usize,
    /// Without a job.
    pub not_started: usize,
    /// It is not known whether a job was started.
    pub start_unknown: usize,
    /// The job gave no archive.
    pub failed_at_tulip: usize,
    /// The archive is not stored.
    pub failed_to_store: usize,
    /// Bytes of the objects whose receipts the run has seen.
    pub bytes: u64,
    /// Records in these objects.
    pub records: u64,
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
    /// How the export has ended: [`Outcome::as_str`].
    pub outcome: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// The object; `None` where there is none.
    pub object: Option<ManifestObject>,
    /// What went wrong, on one line.
    pub error: Option<String>,
    /// The class of that: [`ExportErrorKind::as_str`].
    pub error_kind: Option<&'static str>,
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
    /// The manifest of a run that begins now. `tool` is the program that runs it.
    #[must_use]
    pub fn begin(tool: Tool, shard: Option<Shard>) -> Self {
        let started = Timestamp::now();
        Self {
            version: VERSION,
            run: run_id(started, shard),
            started,
            ended: started,
            whole: true,
            shard: shard.map(|shard| shard.to_string()),
            tool,
            counts: Counts::default(),
            exports: Vec::new(),
        }
    }

    /// Records how an export has ended.
    pub fn record(&mut self, report: &ItemReport) {
        let outcome = report.outcome();
        let entry = ManifestEntry::of(report);
        if let Some(object) = &entry.object {
            self.counts.bytes += object.bytes.unwrap_or_default();
            self.counts.records += object.records.unwrap_or_default();
        }
        *self.counts.of(outcome) += 1;
        self.whole &= outcome.is_success();
        self.ended = self.ended.max(report.ended);
        self.exports.push(entry);
    }

    /// Where it is stored. Two runs never have the same key.
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

impl Counts {
    fn of(&mut self, outcome: Outcome) -> &mut usize {
        match outcome {
            Outcome::Stored => &mut self.stored,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::NotStarted => &mut self.not_started,
            Outcome::StartUnknown => &mut self.start_unknown,
            Outcome::FailedAtTulip => &mut self.failed_at_tulip,
            Outcome::FailedToStore => &mut self.failed_to_store,
        }
    }
}

impl ManifestEntry {
    fn of(report: &ItemReport) -> Self {
        let source = &report.source;
        let error = report.result.as_ref().err();
        Self {
            machine: source.known_machine().cloned(),
            machine_name: source.machine_name().map(str::to_owned),
            machine_type: source.machine_type().map(str::to_owned),
            job: report.job().cloned(),
            outcome: report.outcome().as_str(),
            attempts: report.attempts,
            object: report.result.as_ref().ok().and_then(ManifestObject::of),
            error: error.map(one_line),
            error_kind: error.map(ItemError::kind).map(ExportErrorKind::as_str),
            error_unique_id: error
                .and_then(ItemError::error_unique_id)
                .map(str::to_owned),
        }
    }
}

impl ManifestObject {
    fn of(done: &tulip_archive::Outcome) -> Option<Self> {
        match (done, done.receipt()) {
            (_, Some(receipt)) => Some(Self {
                key: receipt.object.key.clone(),
                receipt: Some(receipt.object.key.receipt()),
                bytes: Some(receipt.bytes),
                records: Some(receipt.records),
                checksum: Some(receipt.checksum.clone()),
            }),
            (
                tulip_archive::Outcome::Skipped {
                    key, has_receipt, ..
                },
                None,
            ) => Some(Self {
                key: key.clone(),
                receipt: has_receipt.then(|| key.receipt()),
                bytes: None,
                records: None,
                checksum: None,
            }),
            _ => None,
        }
    }
}

/// An error with its causes, without line breaks.
fn one_line(error: &ItemError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.replace(char::is_control, " ")
}

/// The time of the start, so that names sort by it, and something that no other run has.
fn run_id(started: Timestamp, shard: Option<Shard>) -> String {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = nanos.unwrap_or_default().as_nanos();
    let unique = Sha256::digest(format!("{nanos} {}", process::id()));
    let unique: String = unique.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let (date, time) = (started.date(), started.compact_time());
    match shard {
        Some(shard) => format!(
            "{date}T{time}Z-{unique}-{}of{}",
            shard.number(),
            shard.count()
        ),
        None => format!("{date}T{time}Z-{unique}"),
    }
}
