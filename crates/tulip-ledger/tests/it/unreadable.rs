//! Rows that cannot be understood, among others that can.

use tulip_core::MachineId;
use tulip_fleet::ledger::{BeginOutcome, Continue, Ledger as _, NewRun};
use tulip_fleet::{ItemOutcome, ItemSummary, RunEnd, RunSummary};
use tulip_ledger::SqliteLedger;

use crate::support::Bench;

fn item(machine: &str, outcome: ItemOutcome) -> ItemSummary {
    let mut item = ItemSummary::new(outcome);
    item.machine = Some(machine.parse::<MachineId>().unwrap());
    item
}

/// Runs that have ended, with two machines each.
async fn ended(ledger: &SqliteLedger, runs: usize) -> Vec<RunSummary> {
    let mut ended = Vec::new();
    for _ in 0..runs {
        let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
        run.items = vec![
            item("m1", ItemOutcome::Stored),
            item("m2", ItemOutcome::FailedAtTulip),
        ];
        let new = NewRun::new(run.clone(), "export --all");
        let BeginOutcome::Claimed { claim, .. } = ledger.begin(new).await.unwrap() else {
            panic!("{run:?}");
        };
        ledger.end(&claim, RunEnd::Stopped, None).await.unwrap();
        ended.push(run);
    }
    ended
}

fn change(bench: &Bench, sql: &str, run: &RunSummary) {
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    assert_eq!(database.execute(sql, [&run.id]).unwrap(), 1);
}

#[tokio::test]
async fn an_export_that_is_not_understood_hides_no_other_and_is_exported_again() {
    let bench = Bench::new();
    let ledger = bench.open();
    let run = ended(&ledger, 1).await.remove(0);
    let unknown = r#"UPDATE item SET record = '{"outcome": "teleported"}', outcome = 'teleported'
        WHERE run = ?1 AND outcome = 'stored'"#;
    change(&bench, unknown, &run);
    let found = ledger.run(&run.id).await.unwrap().unwrap();
    assert_eq!(found.items, [run.items[1].clone()]);
    assert_eq!(ledger.runs().await.unwrap()[0].counts.exports(), 1);

    let new = NewRun::new(run.clone(), "export --all");
    let begun = ledger.begin(new.continuing(Continue::Latest(run.started)));
    let BeginOutcome::Claimed { run: left, .. } = begun.await.unwrap() else {
        panic!("{run:?}");
    };
    assert_eq!((&left.id, left.items.len()), (&run.id, 1));
    let found = ledger.run(&run.id).await.unwrap().unwrap();
    assert_eq!(found.items.len(), 2, "{found:?}");
}

#[tokio::test]
async fn a_run_that_is_not_understood_hides_no_other() {
    let bench = Bench::new();
    let ledger = bench.open();
    let runs = ended(&ledger, 2).await;
    change(
        &bench,
        "UPDATE run SET end = 'adjourned' WHERE id = ?1",
        &runs[0],
    );
    let shown = ledger.runs().await.unwrap();
    let ids: Vec<_> = shown.iter().map(|overview| &overview.run.id).collect();
    assert_eq!(ids, [&runs[1].id]);
    assert!(ledger.run(&runs[0].id).await.is_err());
}
