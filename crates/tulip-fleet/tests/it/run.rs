//! How the exports of a run end.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tulip_emulator::{Endpoint, JobScript, Reply};
use tulip_fleet::archive::{self, Event, ExportErrorKind, Source};
use tulip_fleet::{
    ItemError, ItemOutcome, ItemSummary, NeverRetryItem, NeverStop, Phase, Plan, Run, export_many,
};

use crate::support::{Bench, all, count};

fn refusal() -> Reply {
    Reply::error(403, "Forbidden", "not this machine")
}

#[tokio::test]
async fn every_source_is_exported_once_and_reported() {
    let bench = Bench::of(9).await;
    let exporter = bench.exporter().build().await.unwrap();
    let sources = bench.sources().await;
    let twice = sources.iter().chain(&sources).cloned();
    let run = export_many(&exporter, twice, 4).await.unwrap();
    assert_eq!(run.remaining(), 9);
    let reports = all(run).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 9);
    assert_eq!(bench.archives(), 9);
    let machines: HashSet<_> = reports
        .iter()
        .filter_map(|report| report.source.known_machine())
        .collect();
    assert_eq!(machines.len(), 9);
    for report in &reports {
        assert!(report.started.unwrap() <= report.ended);
        assert!(report.job().is_some());
        let Ok(archive::Outcome::Exported { receipt, .. }) = &report.result else {
            panic!("{report:?}");
        };
        let measured = &report.measured;
        assert_eq!((measured.bytes, measured.records), (receipt.bytes, 20));
        let phases: Vec<_> = measured.phases.iter().map(|span| span.phase).collect();
        let without_retry = Phase::all().filter(|phase| *phase != Phase::WaitingToRetry);
        assert!(phases.iter().copied().eq(without_retry), "{phases:?}");
    }
}

/// An object that is there already was downloaded in an earlier run.
#[tokio::test]
async fn an_unchanged_export_has_no_downloads_of_its_own() {
    let bench = Bench::of(1).await;
    let exporter = bench.exporter().build().await.unwrap();
    let run = export_many(&exporter, bench.sources().await, 1).await;
    let stored = ItemSummary::of(&all(run.unwrap()).await[0]);
    assert_eq!(
        (stored.outcome, stored.download_attempts),
        (ItemOutcome::Stored, 1)
    );
    let job = Source::job(stored.job.unwrap());
    let once = export_many(&exporter, [job.clone()], 1).await;
    assert_eq!(count(&all(once.unwrap()).await, ItemOutcome::Stored), 1);
    let twice = export_many(&exporter, [job], 1).await;
    let unchanged = ItemSummary::of(&all(twice.unwrap()).await[0]);
    assert_eq!(unchanged.outcome, ItemOutcome::Unchanged);
    assert_eq!(
        (unchanged.download_attempts, unchanged.records),
        (0, Some(20))
    );
}

#[tokio::test]
async fn no_concurrency_counts_as_one() {
    let bench = Bench::of(2).await;
    let exporter = bench.exporter().build().await.unwrap();
    let run = export_many(&exporter, bench.sources().await, 0).await;
    assert_eq!(count(&all(run.unwrap()).await, ItemOutcome::Stored), 2);
}

#[tokio::test]
async fn one_failure_is_its_own() {
    let bench = Bench::of(6).await;
    bench.emulator.fail_next(Endpoint::Start, 1, refusal());
    let failing = bench.emulator.machine_ids()[5].clone();
    bench
        .emulator
        .script_next_of(&failing, JobScript::new().fails("out of disk"));
    let exporter = bench.exporter().build().await.unwrap();
    let run = export_many(&exporter, bench.sources().await, 1).await;
    let reports = all(run.unwrap().retry_policy(NeverRetryItem)).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 4);
    assert_eq!(count(&reports, ItemOutcome::NotStarted), 1);
    assert_eq!(count(&reports, ItemOutcome::FailedAtTulip), 1);
    let refused = reports
        .iter()
        .find(|report| report.outcome() == ItemOutcome::NotStarted);
    let error = refused.unwrap().result.as_ref().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::PermissionDenied);
    assert!(error.error_unique_id().is_some());
}

#[tokio::test]
async fn the_circuit_breaker_spares_tulip_the_rest() {
    let bench = Bench::of(9).await;
    bench.emulator.fail_next(Endpoint::Start, 9, refusal());
    let exporter = bench.exporter().build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    let mut run = Run::new(plan).max_pending(1);
    let mut reports = Vec::new();
    while let Some(report) = run.next().await {
        reports.push(report);
    }
    let stopped = run.stopped().unwrap();
    assert_eq!(stopped.left, 4);
    assert_eq!(stopped.why.kind, ExportErrorKind::PermissionDenied);
    assert_eq!(reports.len(), 9);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 5);
    let untried = |error: &ItemError| matches!(error, ItemError::NotStarted(_));
    let errors = reports
        .iter()
        .filter_map(|report| report.result.as_ref().err());
    assert_eq!(errors.filter(|error| untried(error)).count(), 4);
}

#[tokio::test]
async fn a_policy_that_never_stops_tries_them_all() {
    let bench = Bench::of(7).await;
    bench.emulator.fail_next(Endpoint::Start, 7, refusal());
    let exporter = bench.exporter().build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    let run = Run::new(plan).concurrency(1).stop_policy(NeverStop);
    let reports = all(run).await;
    assert_eq!(count(&reports, ItemOutcome::NotStarted), 7);
    assert!(reports.iter().all(|report| report.failure().is_some()));
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 7);
}

#[tokio::test]
async fn an_interrupted_run_reports_every_export() {
    let bench = Bench::of(5).await;
    bench
        .emulator
        .set_default_script(JobScript::new().pending_polls(u32::MAX));
    let exporter = bench.exporter().build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = Arc::new(Mutex::new(Some(stop)));
    let run = Run::new(plan)
        .max_pending(2)
        .on_event(move |_| {
            let stop = stop.clone();
            move |event| {
                if matches!(event, Event::Waiting { .. })
                    && let Some(stop) = stop.lock().unwrap().take()
                {
                    stop.send(()).unwrap();
                }
            }
        })
        .until(async { drop(stopped.await) });
    let reports = all(run).await;
    assert_eq!(reports.len(), 5);
    for report in &reports {
        let error = report.result.as_ref().unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    }
    let untried = reports.iter().filter(|report| report.started.is_none());
    assert_eq!(untried.count(), 3);
    assert_eq!(bench.archives(), 0);
}
