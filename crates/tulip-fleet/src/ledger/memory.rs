//! A ledger in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tulip_archive::core::Timestamp;
use tulip_archive::core::sink::async_trait;
use tulip_archive::state::{Claim, StateError, StateErrorKind};

use super::contract::{BeginOutcome, Continue, Ledger, NewRun, RunOverview};
use crate::{ItemSummary, RunEnd, RunSummary};

/// Keeps runs in memory, for tests and for services without persistent state. Clones share the
/// runs.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    shared: Arc<Mutex<Shared>>,
    owner: u64,
}

#[derive(Debug, Default)]
struct Shared {
    runs: BTreeMap<String, Stored>,
    attempts: u64,
    owners: u64,
    /// The owners whose process is alive.
    alive: BTreeSet<u64>,
}

#[derive(Debug)]
struct Stored {
    /// Without its exports.
    run: RunSummary,
    command: String,
    items: BTreeMap<String, ItemSummary>,
    attempt: u64,
    owner: Option<u64>,
}

impl MemoryLedger {
    /// Creates a ledger without runs.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Arc::default())
    }

    fn of(shared: Arc<Mutex<Shared>>) -> Self {
        let mut locked = lock(&shared);
        locked.owners += 1;
        let owner = locked.owners;
        locked.alive.insert(owner);
        drop(locked);
        Self { shared, owner }
    }

    /// Returns the same runs, as another process sees them.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self::of(self.shared.clone())
    }

    /// Returns the same runs, as the next process finds them after this one has ended: the runs
    /// that it has claimed are free. This ledger and its clones can begin no more runs, and are
    /// fenced once a run of theirs is claimed again.
    #[must_use]
    pub fn restarted(&self) -> Self {
        self.shared().alive.remove(&self.owner);
        self.another_process()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn is_claimed(&self, stored: &Stored) -> bool {
        let owner = stored.owner;
        owner.is_some_and(|owner| self.alive.contains(&owner))
    }

    fn held(&mut self, claim: &Claim) -> Result<&mut Stored, StateError> {
        let stored = self.runs.get_mut(claim.id());
        let held =
            stored.filter(|stored| stored.attempt == claim.attempt() && stored.owner.is_some());
        held.ok_or_else(StateError::fenced)
    }

    /// Returns the run that a new one continues.
    fn continued(&self, new: &NewRun) -> Option<&Stored> {
        let since = match &new.continues {
            Continue::Nothing => return None,
            Continue::Run(id) => return self.runs.get(id),
            Continue::Latest(since) => *since,
        };
        let same = self.runs.values().filter(|stored| {
            stored.command == new.command
                && stored.run.instance == new.run.instance
                && stored.run.target == new.run.target
        });
        let latest = same.max_by_key(|stored| (stored.run.started, stored.attempt))?;
        let is_open = latest.run.end != RunEnd::Complete && latest.run.started >= since;
        is_open.then_some(latest)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn begin(&self, mut new: NewRun) -> Result<BeginOutcome, StateError> {
        let mut shared = self.shared();
        if !shared.alive.contains(&self.owner) {
            let what = "this ledger was restarted";
            return Err(StateError::new(StateErrorKind::Other, what));
        }
        let items = std::mem::take(&mut new.run.items);
        let planned = items.into_iter().map(|item| (item.id(), item));
        let planned: BTreeMap<_, _> = planned.collect();
        let continued = shared.continued(&new).map(|stored| stored.run.id.clone());
        if continued.is_none() && matches!(new.continues, Continue::Run(_)) {
            return Ok(BeginOutcome::Missing);
        }
        let shares = |other: &&Stored| {
            Some(&other.run.id) == continued.as_ref()
                || other.items.keys().any(|id| planned.contains_key(id))
        };
        let others = shared
            .runs
            .values()
            .filter(|other| shared.is_claimed(other) && other.run.target == new.run.target);
        if let Some(other) = others.into_iter().find(shares) {
            return Ok(BeginOutcome::Busy {
                run: other.run.id.clone(),
                started: other.run.started,
                holder: None,
            });
        }
        shared.attempts += 1;
        let attempt = shared.attempts;
        let id = continued.unwrap_or_else(|| new.run.id.clone());
        let stored = shared.runs.entry(id).or_insert_with(|| Stored {
            run: new.run,
            command: new.command,
            items: BTreeMap::new(),
            attempt,
            owner: None,
        });
        (stored.attempt, stored.owner) = (attempt, Some(self.owner));
        (stored.run.end, stored.run.reason) = (RunEnd::Open, None);
        let mut run = stored.run.clone();
        run.items = stored.items.values().cloned().collect();
        stored
            .items
            .retain(|id, item| item.outcome.is_success() || planned.contains_key(id));
        for (id, item) in planned {
            stored.items.entry(id).or_insert(item);
        }
        Ok(BeginOutcome::Claimed {
            claim: Claim::new(&*run.id, attempt),
            run: Box::new(run),
        })
    }

    async fn check(&self, claim: &Claim) -> Result<(), StateError> {
        self.shared().held(claim).map(drop)
    }

    async fn record(&self, claim: &Claim, item: ItemSummary) -> Result<(), StateError> {
        let mut shared = self.shared();
        let stored = shared.held(claim)?;
        stored.run.ended = Timestamp::now();
        stored.items.insert(item.id(), item);
        Ok(())
    }

    async fn end(
        &self,
        claim: &Claim,
        end: RunEnd,
        reason: Option<String>,
    ) -> Result<(), StateError> {
        let mut shared = self.shared();
        let stored = shared.held(claim)?;
        (stored.run.end, stored.run.reason) = (end, reason);
        (stored.run.ended, stored.owner) = (Timestamp::now(), None);
        Ok(())
    }

    fn release(&self, claim: Claim) {
        if let Ok(stored) = self.shared().held(&claim) {
            stored.owner = None;
        }
    }

    async fn runs(&self) -> Result<Vec<RunOverview>, StateError> {
        let shared = self.shared();
        let overview = |stored: &Stored| {
            let mut run = stored.run.clone();
            run.items = stored.items.values().cloned().collect();
            let open = run.items.iter().filter(|item| item.is_open).count();
            let counts = run.counts();
            run.items.clear();
            let overview = RunOverview::new(run, counts, open);
            match shared.is_claimed(stored) {
                true => overview.claimed_by(None),
                false => overview,
            }
        };
        let mut runs: Vec<_> = shared.runs.values().map(overview).collect();
        runs.sort_by_key(|overview| std::cmp::Reverse(overview.run.started));
        Ok(runs)
    }

    async fn run(&self, id: &str) -> Result<Option<RunSummary>, StateError> {
        let shared = self.shared();
        Ok(shared.runs.get(id).map(|stored| {
            let mut run = stored.run.clone();
            run.items = stored.items.values().cloned().collect();
            run
        }))
    }

    async fn remove(&self, id: &str) -> Result<bool, StateError> {
        let mut shared = self.shared();
        let found = shared.runs.get(id);
        let is_free = found.is_some_and(|stored| !shared.is_claimed(stored));
        Ok(is_free && shared.runs.remove(id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::conformance::{self, Fixture};

    struct InMemory(MemoryLedger);

    #[async_trait]
    impl Fixture for InMemory {
        fn ledger(&self) -> Arc<dyn Ledger> {
            Arc::new(self.0.clone())
        }

        async fn another_process(&self) -> Arc<dyn Ledger> {
            Arc::new(self.0.another_process())
        }

        async fn presume_dead(&self) {
            drop(self.0.restarted());
        }
    }

    #[tokio::test]
    async fn runs_in_memory_keep_the_contract() {
        let report = conformance::run(&InMemory(MemoryLedger::new())).await;
        report.assert_passed();
        assert_eq!(report.cases().len(), 9);
    }
}
