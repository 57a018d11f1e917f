//! The summary of one export of a run.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};
use tulip_archive::core::Timestamp;
use tulip_archive::{Checksum, ExportErrorKind, JobId, MachineId, ObjectKey, Source};

use crate::{ItemError, ItemOutcome, ItemReport, PhaseSpan};

/// How one export of a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ItemSummary {
    /// The machine's id; `None` if an export by job did not learn it.
    #[serde(default)]
    pub machine: Option<MachineId>,
    /// The machine's name, if it is known. Any text.
    #[serde(default)]
    pub machine_name: Option<String>,
    /// The name of the machine's type, if it is known. Any text.
    #[serde(default)]
    pub machine_type: Option<String>,
    /// The job, if it is known.
    #[serde(default)]
    pub job: Option<JobId>,
    /// Whether the caller named the job, so that the export did not start one.
    #[serde(default)]
    pub is_by_job: bool,
    /// How the export ended, or would end if the run were not continued.
    #[serde(with = "outcome")]
    pub outcome: ItemOutcome,
    /// Whether the export has not ended: it is waiting for its turn, is under way, or was left by a
    /// run that ended early.
    #[serde(default)]
    pub is_open: bool,
    /// The [`ExportErrorKind`] of a failure, by its stable name.
    #[serde(default)]
    pub error_kind: Option<String>,
    /// The error with its causes, on one line.
    #[serde(default)]
    pub error: Option<String>,
    /// Advice on how to fix it, if there is better advice than the kind alone suggests.
    #[serde(default)]
    pub advice: Option<String>,
    /// Tulip's `errorUniqueID`.
    #[serde(default)]
    pub error_unique_id: Option<String>,
    /// Whether the same export can succeed later without any change.
    #[serde(default)]
    pub retryable: bool,
    /// Whether a job was started whose archive is still worth fetching.
    #[serde(default)]
    pub job_is_pending: bool,
    /// How often the run tried the export; 0 if it did not.
    pub attempts: u32,
    /// How often the download was started, if the archive was stored.
    #[serde(default)]
    pub download_attempts: u32,
    /// When the run took up the export; `None` if it did not.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// The key of the object, if an archive is stored.
    #[serde(default)]
    pub key: Option<ObjectKey>,
    /// Whether the object has a receipt beside it.
    #[serde(default)]
    pub has_receipt: bool,
    /// The size of the archive in bytes, if its receipt is known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Its number of records, excluding the header.
    #[serde(default)]
    pub records: Option<u64>,
    /// Its checksum.
    #[serde(default)]
    pub checksum: Option<Checksum>,
    /// The phases that the export went through, in order.
    #[serde(default)]
    pub phases: Vec<PhaseSummary>,
}

/// One period that an export spent in a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseSummary {
    /// The [`Phase`](crate::Phase), by its stable name.
    pub phase: String,
    /// When it started.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
}

/// Serialises and deserialises an [`ItemOutcome`] as its stable name.
mod outcome {
    use crate::ItemOutcome;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        outcome: &ItemOutcome,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(outcome.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ItemOutcome, D::Error> {
        let name = String::deserialize(from)?;
        let unknown = || serde::de::Error::custom(format!("unknown outcome {name:?}"));
        ItemOutcome::from_name(&name).ok_or_else(unknown)
    }
}

impl PhaseSummary {
    /// Creates the summary of a period of this many seconds.
    pub fn new(phase: impl Into<String>, started: Timestamp, seconds: f64) -> Self {
        Self {
            phase: phase.into(),
            started,
            seconds,
        }
    }

    fn of(span: &PhaseSpan) -> Self {
        Self::new(span.phase.as_str(), span.started, span.took.as_secs_f64())
    }
}

impl ItemSummary {
    /// Creates the summary of an export that ended now with this outcome. Set the other fields that
    /// are known.
    #[must_use]
    pub fn new(outcome: ItemOutcome) -> Self {
        Self {
            machine: None,
            machine_name: None,
            machine_type: None,
            job: None,
            is_by_job: false,
            outcome,
            is_open: false,
            error_kind: None,
            error: None,
            advice: None,
            error_unique_id: None,
            retryable: false,
            job_is_pending: false,
            attempts: 1,
            download_attempts: 0,
            started: None,
            ended: Timestamp::now(),
            key: None,
            has_receipt: false,
            bytes: None,
            records: None,
            checksum: None,
            phases: Vec::new(),
        }
    }

    /// Returns the summary of an export that is waiting for its turn.
    #[must_use]
    pub fn waiting(source: &Source) -> Self {
        let why = "not started: the run ended before its turn";
        Self {
            attempts: 0,
            ..Self::open(source, None, why)
        }
    }

    /// Returns the summary of an export under way, with the job that it has started or resumed.
    pub(crate) fn running(
        source: &Source,
        job: &JobId,
        (attempts, started): (u32, Timestamp),
    ) -> Self {
        let why = "the run ended before this export did";
        Self {
            attempts,
            started: Some(started),
            ..Self::open(source, Some(job), why)
        }
    }

    /// Returns the summary of an open export, as it would end if the run ended now.
    fn open(source: &Source, job: Option<&JobId>, why: &str) -> Self {
        let outcome = match job {
            Some(_) => ItemOutcome::FailedToStore,
            None => ItemOutcome::NotStarted,
        };
        Self {
            is_open: true,
            job: job.or(source.known_job()).cloned(),
            error_kind: Some(ExportErrorKind::Interrupted.as_str().to_owned()),
            error: Some(why.to_owned()),
            retryable: true,
            job_is_pending: job.is_some(),
            ..Self::new(outcome).of_source(source)
        }
    }

    fn of_source(mut self, source: &Source) -> Self {
        self.machine = source.known_machine().cloned();
        self.machine_name = source.machine_name().map(str::to_owned);
        self.machine_type = source.machine_type().map(str::to_owned);
        self.is_by_job = source.known_job().is_some();
        self
    }

    /// Returns the summary of a report.
    #[must_use]
    pub fn of(report: &ItemReport) -> Self {
        let (done, error) = (report.result.as_ref().ok(), report.result.as_ref().err());
        let receipt = done.and_then(|done| done.receipt());
        let mut item = Self {
            job: report.job().cloned(),
            error_kind: error.map(|error| error.kind().as_str().to_owned()),
            error: error.map(one_line),
            error_unique_id: error
                .and_then(ItemError::error_unique_id)
                .map(str::to_owned),
            retryable: error.is_some_and(ItemError::is_retryable),
            job_is_pending: report.job_to_fetch().is_some(),
            attempts: report.attempts,
            download_attempts: match (report.outcome(), receipt) {
                // The receipt of an unchanged object is of an earlier download.
                (ItemOutcome::Stored, Some(receipt)) => receipt.attempts,
                _ => 0,
            },
            started: report.started,
            ended: report.ended,
            key: receipt.map(|receipt| receipt.object.key.clone()),
            has_receipt: receipt.is_some(),
            bytes: receipt.map(|receipt| receipt.bytes),
            records: receipt.map(|receipt| receipt.records),
            checksum: receipt.map(|receipt| receipt.checksum.clone()),
            phases: report
                .measured
                .phases
                .iter()
                .map(PhaseSummary::of)
                .collect(),
            ..Self::new(report.outcome()).of_source(&report.source)
        };
        if let Some(receipt) = receipt {
            item.machine = item.machine.or_else(|| receipt.machine.clone());
        }
        if let Some(tulip_archive::Outcome::Skipped {
            key, has_receipt, ..
        }) = done
        {
            (item.key, item.has_receipt) = (Some(key.clone()), *has_receipt);
        }
        item
    }

    /// Returns the export's id within its run, such as `machine/g56RCoZCtzv7borvp`. No other export
    /// of the run has the same id.
    #[must_use]
    pub fn id(&self) -> String {
        match (&self.job, &self.machine) {
            (_, Some(machine)) if !self.is_by_job => format!("machine/{machine}"),
            (Some(job), _) => format!("job/{job}"),
            (None, _) => String::new(),
        }
    }

    /// Returns a name for the export: the machine's name, or else its id, or else the job.
    #[must_use]
    pub fn name(&self) -> &str {
        let id = || self.machine.as_ref().map(MachineId::as_str);
        let job = || self.job.as_ref().map(JobId::as_str);
        let name = self.machine_name.as_deref().or_else(id);
        name.or_else(job).unwrap_or("unknown")
    }
}

/// Formats an error with its causes, without line breaks.
fn one_line(error: &ItemError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.replace(char::is_control, " ")
}
