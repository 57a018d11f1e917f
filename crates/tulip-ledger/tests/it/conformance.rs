//! The contract of a state store.

use std::sync::Arc;

use tulip_archive::StateStore;
use tulip_archive::state::conformance::{self, Fixture};
use tulip_core::sink::async_trait;
use tulip_ledger::SqliteLedger;

use crate::support::Bench;

struct InFolder {
    bench: Bench,
    ledger: SqliteLedger,
    /// The locked file of the ledger's process.
    lock: String,
}

#[async_trait]
impl Fixture for InFolder {
    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.ledger.clone())
    }

    async fn another_process(&self) -> Arc<dyn StateStore> {
        Arc::new(self.bench.open())
    }

    async fn presume_dead(&self) {
        std::fs::remove_file(self.bench.path().join(&self.lock)).unwrap();
    }
}

#[tokio::test]
async fn the_ledger_keeps_the_contract_of_a_state_store() {
    let bench = Bench::new();
    let ledger = bench.open();
    let lock = bench.locks().remove(0);
    let fixture = InFolder {
        bench,
        ledger,
        lock,
    };
    let report = conformance::run(&fixture).await;
    report.assert_passed();
    assert_eq!(report.cases().len(), 6);
    assert_eq!(fixture.ledger.list().await.unwrap(), []);
}
