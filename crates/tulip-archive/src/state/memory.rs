//! Records in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tulip_core::sink::async_trait;

use super::store::{Claim, ClaimOutcome, StateStore, StoredRecord};
use super::{StateError, StateErrorKind};

/// Remembers incomplete exports until the process ends, for tests and programs that need no more.
/// Clones share their records.
#[derive(Debug, Clone)]
pub struct MemoryStateStore {
    shared: Arc<Mutex<Shared>>,
    /// The stand-in for a process in claims.
    owner: u64,
}

#[derive(Debug, Default)]
struct Shared {
    records: HashMap<String, Stored>,
    attempts: u64,
    owners: u64,
    /// The owners whose claims are in force.
    alive: HashSet<u64>,
}

#[derive(Debug)]
struct Stored {
    record: String,
    /// The attempt of the last claim; `owner` is its owner unless it has ended.
    attempt: u64,
    owner: Option<u64>,
}

impl MemoryStateStore {
    /// Creates a store without records.
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

    /// Returns a store with the same records, as seen by another process.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self::of(self.shared.clone())
    }

    /// Returns a store with the same records, as seen by the next process after this one has ended:
    /// this store's claims no longer block others, and it and its clones can claim nothing more.
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

impl Default for MemoryStateStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn is_claimed(&self, stored: &Stored) -> bool {
        stored
            .owner
            .is_some_and(|owner| self.alive.contains(&owner))
    }

    fn held(&mut self, claim: &Claim) -> Result<&mut Stored, StateError> {
        let stored = self.records.get_mut(claim.id());
        let held =
            stored.filter(|stored| stored.attempt == claim.attempt() && stored.owner.is_some());
        held.ok_or_else(StateError::fenced)
    }
}

#[async_trait]
impl StateStore for MemoryStateStore {
    async fn claim(&self, id: &str, new: Option<String>) -> Result<ClaimOutcome, StateError> {
        let mut shared = self.shared();
        if !shared.alive.contains(&self.owner) {
            let what = "this store was restarted";
            return Err(StateError::new(StateErrorKind::Other, what));
        }
        let (record, is_new) = match (shared.records.get(id), new) {
            (Some(stored), _) if shared.is_claimed(stored) => return Ok(ClaimOutcome::Busy(None)),
            (Some(stored), _) => (stored.record.clone(), false),
            (None, Some(new)) => (new, true),
            (None, None) => return Ok(ClaimOutcome::Missing),
        };
        shared.attempts += 1;
        let attempt = shared.attempts;
        let claimed = Stored {
            record: record.clone(),
            attempt,
            owner: Some(self.owner),
        };
        shared.records.insert(id.to_owned(), claimed);
        let claim = Claim::new(id, attempt);
        Ok(match is_new {
            true => ClaimOutcome::Created(claim),
            false => ClaimOutcome::Found { claim, record },
        })
    }

    async fn check(&self, claim: &Claim) -> Result<(), StateError> {
        self.shared().held(claim).map(drop)
    }

    async fn save(&self, claim: &Claim, record: String, _: bool) -> Result<(), StateError> {
        self.shared().held(claim)?.record = record;
        Ok(())
    }

    async fn remove(&self, claim: &Claim) -> Result<(), StateError> {
        let mut shared = self.shared();
        shared.held(claim)?;
        shared.records.remove(claim.id());
        Ok(())
    }

    fn release(&self, claim: Claim) {
        if let Ok(stored) = self.shared().held(&claim) {
            stored.owner = None;
        }
    }

    async fn list(&self) -> Result<Vec<StoredRecord>, StateError> {
        let shared = self.shared();
        let each = |(id, stored): (&String, &Stored)| StoredRecord {
            id: id.clone(),
            record: stored.record.clone(),
            is_claimed: shared.is_claimed(stored),
        };
        Ok(shared.records.iter().map(each).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::conformance::{self, Fixture};

    struct InMemory(MemoryStateStore);

    #[async_trait]
    impl Fixture for InMemory {
        fn store(&self) -> Arc<dyn StateStore> {
            Arc::new(self.0.clone())
        }

        async fn another_process(&self) -> Arc<dyn StateStore> {
            Arc::new(self.0.another_process())
        }

        async fn presume_dead(&self) {
            drop(self.0.restarted());
        }
    }

    #[tokio::test]
    async fn records_in_memory_keep_the_contract() {
        let report = conformance::run(&InMemory(MemoryStateStore::new())).await;
        report.assert_passed();
        assert_eq!(report.cases().len(), 7);
    }
}
