//! The contracts of a state store and of a ledger of runs.

use std::sync::Arc;

use tulip_archive::StateStore;
use tulip_archive::state::conformance as state;
use tulip_core::sink::async_trait;
use tulip_fleet::ledger::{Ledger, conformance as runs};
use tulip_ledger::SqliteLedger;

use crate::support::Bench;

struct InFolder {
    bench: Bench,
    ledger: SqliteLedger,
    /// The locked file of the ledger's process.
    lock: String,
}

impl InFolder {
    fn new() -> Self {
        let bench = Bench::new();
        let ledger = bench.open();
        let lock = bench.locks().remove(0);
        Self {
            bench,
            ledger,
            lock,
        }
    }

    fn presume_dead(&self) {
        std::fs::remove_file(self.bench.path().join(&self.lock)).unwrap();
    }
}

#[async_trait]
impl state::Fixture for InFolder {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.ledger.clone())
    }

    async fn another_process(&self) -> Arc<dyn StateStore> {
        Arc::new(self.bench.open())
    }

    async fn presume_dead(&self) {
        self.presume_dead();
    }
}

#[async_trait]
impl runs::Fixture for InFolder {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(self.ledger.clone())
    }

    async fn another_process(&self) -> Arc<dyn Ledger> {
        Arc::new(self.bench.open())
    }

    async fn presume_dead(&self) {
        self.presume_dead();
    }
}

#[tokio::test]
async fn the_ledger_keeps_the_contract_of_a_state_store() {
    let fixture = InFolder::new();
    let report = state::run(&fixture).await;
    report.assert_passed();
    assert_eq!(report.cases().len(), 7);
    assert_eq!(fixture.ledger.list().await.unwrap(), []);
}

#[tokio::test]
async fn the_ledger_keeps_the_contract_of_runs() {
    let fixture = InFolder::new();
    let report = runs::run(&fixture).await;
    report.assert_passed();
    assert_eq!(report.cases().len(), 9);
    assert_eq!(fixture.ledger.runs().await.unwrap(), []);
}
