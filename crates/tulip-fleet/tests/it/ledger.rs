//! The records that a run leaves in its ledger and finds there.

use std::sync::Arc;

use tulip_emulator::{Endpoint, Reply};
use tulip_fleet::archive::{ExportErrorKind, Exporter};
use tulip_fleet::ledger::{BeginOutcome, Continue, Ledger, MemoryLedger, NewRun, RunLog};
use tulip_fleet::{
    ItemError, ItemOutcome, ItemReport, NeverRetryItem, NeverStop, Plan, Run, RunEnd, RunSummary,
};

use crate::support::{Bench, all, count};

async fn plan(bench: &Bench, exporter: &Exporter) -> Plan {
    Plan::new(exporter, bench.sources().await).await.unwrap()
}

/// The plan of the rest of the run, and its log.
async fn begin(ledger: &MemoryLedger, plan: Plan, continues: Continue) -> (Plan, Arc<RunLog>) {
    let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
    run.items = plan.summaries();
    let new = NewRun::new(run, "export --all").continuing(continues);
    let BeginOutcome::Claimed { claim, run } = ledger.begin(new).await.unwrap() else {
        panic!("the run is not free");
    };
    let log = RunLog::new(Arc::new(ledger.clone()), claim);
    (plan.continuing(&run.items, run.started), Arc::new(log))
}

async fn only(ledger: &MemoryLedger) -> RunSummary {
    let runs = ledger.runs().await.unwrap();
    assert_eq!(runs.len(), 1);
    ledger.run(&runs[0].run.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_export_is_recorded_as_it_has_ended() {
    let bench = Bench::of(4).await;
    let exporter = bench.exporter().build().await.unwrap();
    let ledger = MemoryLedger::new();
    bench
        .emulator
        .fail_next(Endpoint::Start, 1, Reply::error(403, "Forbidden", "no"));
    let plan = plan(&bench, &exporter).await;
    let (plan, log) = begin(&ledger, plan, Continue::Nothing).await;
    let run = Run::new(plan).stop_policy(NeverStop).log(log.clone());
    let reports = all(run).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 3);
    log.end(RunEnd::Complete, None).await.unwrap();
    let recorded = only(&ledger).await;
    assert_eq!(recorded.end, RunEnd::Complete);
    assert_eq!(recorded.items.len(), 4);
    for report in &reports {
        let machine = report.source.known_machine();
        let item = recorded
            .items
            .iter()
            .find(|item| item.machine.as_ref() == machine);
        let item = item.unwrap();
        assert!(!item.is_open);
        assert_eq!(item.outcome, report.outcome());
        assert_eq!(item.job.as_ref(), report.job());
        assert_eq!(item.records.is_some(), item.outcome == ItemOutcome::Stored);
    }
}

#[tokio::test]
async fn a_run_that_was_left_is_continued_with_what_is_not_finished() {
    let bench = Bench::of(5).await;
    let exporter = bench.exporter().build().await.unwrap();
    let ledger = MemoryLedger::new();
    let first = plan(&bench, &exporter).await;
    let (first, log) = begin(&ledger, first, Continue::Nothing).await;
    let mut run = Run::new(first)
        .concurrency(1)
        .max_pending(1)
        .log(log.clone());
    let started = run.next().await.unwrap();
    assert_eq!(started.outcome(), ItemOutcome::Stored);
    drop((run, log));
    let left = only(&ledger).await;
    assert_eq!(left.end, RunEnd::Open);
    assert!(left.counts().stored >= 1, "{:?}", left.counts());
    let (rest, log) = begin(
        &ledger.restarted(),
        plan(&bench, &exporter).await,
        Continue::Run(left.id.clone()),
    )
    .await;
    let stored = left.counts().stored;
    let reports = all(Run::new(rest).log(log.clone())).await;
    assert_eq!(reports.len(), 5 - stored);
    log.end(RunEnd::Complete, None).await.unwrap();
    let whole = only(&ledger).await;
    assert_eq!(whole.counts().stored, 5);
    assert_eq!(whole.id, left.id);
    assert_eq!(bench.archives(), 5);
}

#[tokio::test]
async fn a_run_that_another_process_has_taken_over_starts_nothing_more() {
    let bench = Bench::of(6).await;
    let exporter = bench.exporter().build().await.unwrap();
    let ledger = MemoryLedger::new();
    let first = plan(&bench, &exporter).await;
    let (first, log) = begin(&ledger, first, Continue::Nothing).await;
    let id = only(&ledger).await.id;
    let taken = begin(
        &ledger.restarted(),
        plan(&bench, &exporter).await,
        Continue::Run(id),
    )
    .await;
    let run = Run::new(first)
        .retry_policy(NeverRetryItem)
        .log(log.clone());
    let reports = all(run).await;
    assert_eq!(reports.len(), 6);
    let is_fenced = |report: &ItemReport| match &report.result {
        Err(ItemError::NotStarted(why)) => why.kind == ExportErrorKind::Fenced,
        _ => false,
    };
    assert!(reports.iter().all(is_fenced), "{reports:?}");
    assert!(bench.emulator.jobs().is_empty());
    assert!(log.end(RunEnd::Complete, None).await.is_err());
    // The other process continues as if nothing had happened.
    let (rest, log) = taken;
    assert_eq!(
        count(&all(Run::new(rest).log(log)).await, ItemOutcome::Stored),
        6
    );
}
