//! What is known of a run and of its exports, in plain values.

use serde::{Deserialize, Serialize};
use tulip_core::Timestamp;
use tulip_fleet::{ItemError, ItemReport, Outcome, PhaseSpan};

/// A run and how each of its exports has ended.
///
/// Made from the reports of a run that has just ended, or from what a ledger keeps of an earlier
/// one. Holds no secret and no signed URL, and serialises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// The id of the run, where it has one.
    #[serde(default)]
    pub id: Option<String>,
    /// The Tulip instance.
    pub instance: String,
    /// Where the archives go: a path or a URL without any secret.
    pub target: String,
    /// When the run started.
    pub started: Timestamp,
    /// When it ended; for one that is still open, when it was last heard of.
    pub ended: Timestamp,
    /// How it ended.
    pub end: RunEnd,
    /// Why it ended early or could not start, in words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its exports, in no particular order.
    pub items: Vec<ItemSummary>,
}

/// How a run has ended, whatever came of its exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// Every export was tried.
    Complete,
    /// It ended early: its time limit was over, or every export would have failed.
    Stopped,
    /// Somebody interrupted it.
    Interrupted,
    /// It failed before its first export: the machines could not be listed, for example.
    Failed,
    /// It has not ended: it is under way, or was killed.
    Open,
}

/// How one export of a run has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ItemSummary {
    /// The id of the machine; `None` for an export by job that did not learn it.
    #[serde(default)]
    pub machine: Option<String>,
    /// The name of the machine, where it is known. Any text.
    #[serde(default)]
    pub machine_name: Option<String>,
    /// The job, where one is known.
    #[serde(default)]
    pub job: Option<String>,
    /// How the export ended.
    #[serde(with = "outcome")]
    pub outcome: Outcome,
    /// The [`ExportErrorKind`](tulip_archive::ExportErrorKind) of a failure, by its stable name.
    #[serde(default)]
    pub error_kind: Option<String>,
    /// What went wrong, on one line.
    #[serde(default)]
    pub error: Option<String>,
    /// What can be done about it, where that is known better than from the kind alone.
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
    /// How often the run has tried the export; 0 where it did not.
    pub attempts: u32,
    /// How often the download was started, where the archive was stored.
    #[serde(default)]
    pub download_attempts: u32,
    /// When the export was taken up; `None` where it was not.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// The key of the object, where an archive is stored.
    #[serde(default)]
    pub key: Option<String>,
    /// The bytes of the archive, where it is stored.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Its records, where it is stored.
    #[serde(default)]
    pub records: Option<u64>,
    /// What the time was spent on, in order.
    #[serde(default)]
    pub phases: Vec<PhaseSummary>,
}

/// One stay of an export in a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseSummary {
    /// The [`Phase`](tulip_fleet::Phase), by its stable name.
    pub phase: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
}

/// An [`Outcome`] by its stable name.
mod outcome {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use tulip_fleet::Outcome;

    pub(super) fn serialize<S: Serializer>(outcome: &Outcome, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(outcome.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Outcome, D::Error> {
        let name = String::deserialize(from)?;
        let unknown = || serde::de::Error::custom(format!("unknown outcome {name:?}"));
        Outcome::from_name(&name).ok_or_else(unknown)
    }
}

impl RunSummary {
    /// A run without exports that starts now. Set the fields that say otherwise.
    #[must_use]
    pub fn starting(instance: impl Into<String>, target: impl Into<String>) -> Self {
        let now = Timestamp::now();
        Self {
            id: None,
            instance: instance.into(),
            target: target.into(),
            started: now,
            ended: now,
            end: RunEnd::Open,
            reason: None,
            items: Vec::new(),
        }
    }

    /// Whether the run is complete and every archive is at the target.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.end == RunEnd::Complete && self.items.iter().all(|item| item.outcome.is_success())
    }

    /// How many exports have ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        let ended = self.items.iter().filter(|item| item.outcome == outcome);
        ended.count()
    }

    /// The bytes of all archives that this run has stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored().filter_map(|item| item.bytes).sum()
    }

    /// The records of all archives that this run has stored.
    #[must_use]
    pub fn stored_records(&self) -> u64 {
        self.stored().filter_map(|item| item.records).sum()
    }

    fn stored(&self) -> impl Iterator<Item = &ItemSummary> {
        let items = self.items.iter();
        items.filter(|item| item.outcome == Outcome::Stored)
    }
}

impl PhaseSummary {
    fn of(span: &PhaseSpan) -> Self {
        Self {
            phase: span.phase.as_str().to_owned(),
            started: span.started,
            seconds: span.took.as_secs_f64(),
        }
    }
}

impl ItemSummary {
    /// An export of nothing in particular that ended so, now. Set the fields that say more.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            machine: None,
            machine_name: None,
            job: None,
            outcome,
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
            bytes: None,
            records: None,
            phases: Vec::new(),
        }
    }

    /// What a report tells of an export.
    #[must_use]
    pub fn of(report: &ItemReport) -> Self {
        let (source, error) = (&report.source, report.result.as_ref().err());
        let receipt = report.result.as_ref().ok().and_then(|done| done.receipt());
        let machine = source.known_machine();
        let machine = machine.or(receipt.and_then(|receipt| receipt.machine.as_ref()));
        Self {
            machine: machine.map(ToString::to_string),
            machine_name: source.machine_name().map(str::to_owned),
            job: report.job().map(ToString::to_string),
            error_kind: error.map(|error| error.kind().as_str().to_owned()),
            error: error.map(ToString::to_string),
            error_unique_id: error
                .and_then(ItemError::error_unique_id)
                .map(str::to_owned),
            retryable: error.is_some_and(ItemError::is_retryable),
            job_is_pending: report.job_to_fetch().is_some(),
            attempts: report.attempts,
            download_attempts: receipt.map_or(0, |receipt| receipt.attempts),
            started: report.started,
            ended: report.ended,
            key: receipt.map(|receipt| receipt.object.key.to_string()),
            bytes: receipt.map(|receipt| receipt.bytes),
            records: receipt.map(|receipt| receipt.records),
            phases: report
                .measured
                .phases
                .iter()
                .map(PhaseSummary::of)
                .collect(),
            ..Self::new(report.outcome())
        }
    }

    /// What to call the export: the machine's name, or else its id, or else the job.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.machine_name.as_deref().or(self.machine.as_deref());
        name.or(self.job.as_deref()).unwrap_or("unknown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcomes: &[Outcome]) -> RunSummary {
        let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
        run.end = RunEnd::Complete;
        run.items = outcomes.iter().copied().map(ItemSummary::new).collect();
        run
    }

    #[test]
    fn a_run_succeeds_only_if_it_is_complete_and_every_archive_is_there() {
        assert!(run(&[]).is_success());
        let mut both = run(&[Outcome::Stored, Outcome::Unchanged]);
        assert!(both.is_success());
        both.end = RunEnd::Stopped;
        assert!(!both.is_success());
        assert!(!run(&[Outcome::Stored, Outcome::NotStarted]).is_success());
    }

    #[test]
    fn only_what_this_run_has_stored_counts_as_its_bytes() {
        let mut run = run(&[Outcome::Stored, Outcome::Unchanged]);
        for item in &mut run.items {
            (item.bytes, item.records) = (Some(100), Some(7));
        }
        assert_eq!((run.stored_bytes(), run.stored_records()), (100, 7));
    }

    #[test]
    fn every_outcome_survives_json_and_an_unknown_one_is_refused() {
        for outcome in Outcome::all() {
            let run = run(&[outcome]);
            let json = serde_json::to_string(&run).unwrap();
            assert_eq!(serde_json::from_str::<RunSummary>(&json).unwrap(), run);
            let other = json.replace(outcome.as_str(), "lost");
            assert!(serde_json::from_str::<RunSummary>(&other).is_err());
        }
    }
}
