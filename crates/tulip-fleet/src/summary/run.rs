//! The summary of a run.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use serde::{Deserialize, Serialize};
use tulip_archive::core::Timestamp;

use super::counts::Counts;
use super::item::ItemSummary;
use crate::{ItemOutcome, Shard};

/// A run and how each of its exports ended.
///
/// Made from the reports of a run that has just ended, or from a ledger's record of an earlier one.
/// It contains no secret and no signed URL, and can be serialised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// The run's id, which begins with its start time. No other run has the same id.
    pub id: String,
    /// The Tulip instance.
    pub instance: String,
    /// Where the archives go: a path or a URL without any secret.
    pub target: String,
    /// The part of the machines that the run exports, such as `2/3`; `None` for all.
    #[serde(default)]
    pub shard: Option<String>,
    /// When the run started.
    pub started: Timestamp,
    /// When it ended, or when it was last heard from if it is still open.
    pub ended: Timestamp,
    /// How it ended.
    pub end: RunEnd,
    /// Why it ended early or could not start, in words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The canonical form of the command that started it: [`NewRun::command`]. Empty if the run was
    /// not read from a ledger.
    ///
    /// [`NewRun::command`]: crate::ledger::NewRun::command
    #[serde(skip)]
    pub command: String,
    /// Its exports, in no particular order.
    pub items: Vec<ItemSummary>,
}

/// How a run ended, regardless of the outcomes of its exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// Every export was tried.
    Complete,
    /// It ended early: its time limit was reached, or every export would have failed.
    Stopped,
    /// It was interrupted.
    Interrupted,
    /// It failed before its first export: the machines could not be listed, for example.
    Failed,
    /// It has not ended: it is under way, or was killed.
    Open,
}

/// Every end with its stable name.
const ENDS: [(RunEnd, &str); 5] = [
    (RunEnd::Complete, "complete"),
    (RunEnd::Stopped, "stopped"),
    (RunEnd::Interrupted, "interrupted"),
    (RunEnd::Failed, "failed"),
    (RunEnd::Open, "open"),
];

impl RunEnd {
    /// Returns the stable name in lower case, for example `complete`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = ENDS.iter().find(|(end, _)| *end == self);
        found.map_or("other", |(_, name)| *name)
    }

    /// Returns the end with this stable name, or `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = ENDS.iter().find(|(_, known)| *known == name);
        found.map(|(end, _)| *end)
    }
}

impl RunSummary {
    /// Creates a run without exports that starts now, with a new id. Set the fields that differ.
    #[must_use]
    pub fn starting(instance: impl Into<String>, target: impl Into<String>) -> Self {
        let now = Timestamp::now();
        Self {
            id: run_id(now),
            instance: instance.into(),
            target: target.into(),
            shard: None,
            started: now,
            ended: now,
            end: RunEnd::Open,
            reason: None,
            command: String::new(),
            items: Vec::new(),
        }
    }

    /// Limits the run to a shard of the machines, if one is given, and appends it to the run's id.
    #[must_use]
    pub fn in_shard(mut self, shard: Option<Shard>) -> Self {
        if let Some(shard) = shard {
            self.id = format!("{}-{}of{}", self.id, shard.number(), shard.count());
            self.shard = Some(shard.to_string());
        }
        self
    }

    /// Whether the run is complete and every archive is at the target.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.end == RunEnd::Complete && self.items.iter().all(|item| item.outcome.is_success())
    }

    /// Returns the exports by outcome. An open export counts as it would end now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for item in &self.items {
            counts.add(item.outcome, 1);
            counts.bytes += item.bytes.unwrap_or_default();
            counts.records += item.records.unwrap_or_default();
        }
        counts
    }

    /// Returns the number of exports with this outcome.
    #[must_use]
    pub fn count(&self, outcome: ItemOutcome) -> usize {
        let ended = self.items.iter().filter(|item| item.outcome == outcome);
        ended.count()
    }

    /// Returns the total bytes of the archives that this run has stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored().filter_map(|item| item.bytes).sum()
    }

    /// Returns the total records of the archives that this run has stored.
    #[must_use]
    pub fn stored_records(&self) -> u64 {
        self.stored().filter_map(|item| item.records).sum()
    }

    fn stored(&self) -> impl Iterator<Item = &ItemSummary> {
        let items = self.items.iter();
        items.filter(|item| item.outcome == ItemOutcome::Stored)
    }
}

/// Returns an id that begins with the start time, so that ids sort by it, and ends with a random
/// part.
fn run_id(started: Timestamp) -> String {
    // Hashers have random keys.
    let unique = RandomState::new().build_hasher().finish();
    let unique = unique & 0xffff_ffff;
    format!(
        "{}T{}Z-{unique:08x}",
        started.date(),
        started.compact_time()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcomes: &[ItemOutcome]) -> RunSummary {
        let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
        run.end = RunEnd::Complete;
        run.items = outcomes.iter().copied().map(ItemSummary::new).collect();
        run
    }

    #[test]
    fn a_run_succeeds_only_if_it_is_complete_and_every_archive_is_there() {
        assert!(run(&[]).is_success());
        let mut both = run(&[ItemOutcome::Stored, ItemOutcome::Unchanged]);
        assert!(both.is_success());
        both.end = RunEnd::Stopped;
        assert!(!both.is_success());
        assert!(!run(&[ItemOutcome::Stored, ItemOutcome::NotStarted]).is_success());
    }

    #[test]
    fn only_what_this_run_has_stored_counts_as_its_bytes() {
        let mut run = run(&[ItemOutcome::Stored, ItemOutcome::Unchanged]);
        for item in &mut run.items {
            (item.bytes, item.records) = (Some(100), Some(7));
        }
        assert_eq!((run.stored_bytes(), run.stored_records()), (100, 7));
    }

    #[test]
    fn every_outcome_survives_json_and_an_unknown_one_is_refused() {
        for outcome in ItemOutcome::all() {
            let run = run(&[outcome]);
            let json = serde_json::to_string(&run).unwrap();
            assert_eq!(serde_json::from_str::<RunSummary>(&json).unwrap(), run);
            let other = json.replace(outcome.as_str(), "lost");
            assert!(serde_json::from_str::<RunSummary>(&other).is_err());
        }
    }
}
