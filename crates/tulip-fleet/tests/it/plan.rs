//! Problems that are found before anything is started.

use tulip_emulator::Endpoint;
use tulip_fleet::archive::{Client, ExportErrorKind, Exporter, KeyTemplate, Settings};
use tulip_fleet::{CollisionAdvice, ItemOutcome, ItemSummary, Plan, PlanError, Run};

use crate::support::{Bench, all, count};

#[tokio::test]
async fn keys_that_collide_are_a_typed_error_and_nothing_is_started() {
    let bench = Bench::of(3).await;
    let template = KeyTemplate::parse("{date}.csv").unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let planned = Plan::new(&exporter, bench.sources().await).await;
    let Err(PlanError::Collisions(found)) = planned else {
        panic!("{planned:?}");
    };
    assert_eq!(found.as_slice().len(), 2);
    assert_eq!(found.advice(), CollisionAdvice::AddMachineOrJob);
    let reports = found.reports();
    assert_eq!(count(&reports, ItemOutcome::NotStarted), 3);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}

#[tokio::test]
async fn an_export_without_a_usable_key_is_reported_beside_those_that_collide() {
    let bench = Bench::of(8).await;
    // The type of this machine is not known.
    let mut sources = bench.sources().await;
    sources[0] = tulip_fleet::archive::Source::machine(bench.emulator.machine_ids()[0].clone());
    let template = KeyTemplate::parse("{machine_type}/{date}.csv").unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let Err(PlanError::Collisions(found)) = Plan::new(&exporter, sources).await else {
        panic!("the keys of two machines collide");
    };
    let reports = found.reports();
    assert_eq!(count(&reports, ItemOutcome::NotStarted), 8, "{reports:?}");
}

#[tokio::test]
async fn a_target_that_cannot_be_written_refuses_the_plan() {
    let bench = Bench::of(1).await;
    let file = bench.folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let exporter = bench.exporter().to(file.join("below").to_str().unwrap());
    let exporter = exporter.build().await.unwrap();
    let planned = Plan::new(&exporter, bench.sources().await).await;
    let Err(PlanError::Target(error)) = planned else {
        panic!("{planned:?}");
    };
    assert!(error.sink_error().is_some());
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_the_failure_of_its_own_export() {
    let bench = Bench::of(2).await;
    // Only one of the sources has the type of its machine.
    let mut sources = bench.sources().await;
    sources[0] = tulip_fleet::archive::Source::machine(bench.emulator.machine_ids()[0].clone());
    let template = KeyTemplate::parse("{machine_type}/{machine}.csv").unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let plan = Plan::new(&exporter, sources).await.unwrap();
    assert_eq!((plan.items().len(), plan.ended().len()), (1, 1));
    assert!(plan.items()[0].key().is_some());
    let reports = all(Run::new(plan)).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 1);
    let failed = reports.iter().find_map(|report| report.failure()).unwrap();
    assert_eq!(failed.kind(), ExportErrorKind::InvalidRequest);
}

#[tokio::test]
async fn planned_keys_are_those_of_the_exporters_workspace() {
    let bench = Bench::of(1).await;
    let mut settings = Settings::new(bench.emulator.base_url(), bench.emulator.credentials());
    settings.workspace = Some("w1".parse().unwrap());
    let client = Client::builder(settings).build().unwrap();
    let exporter = Exporter::builder(client)
        .to(bench.folder.path().to_str().unwrap())
        .name(KeyTemplate::parse("{workspace}/{machine}.csv").unwrap());
    let exporter = exporter.build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    let key = plan.items()[0].key().unwrap().to_string();
    assert!(key.starts_with("w1/"), "{key}");
}

#[tokio::test]
async fn all_keys_of_a_run_have_its_date() {
    let bench = Bench::of(2).await;
    let template = KeyTemplate::parse("{date}/{machine}.csv").unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    let plan = plan.dated("2026-01-02T23:59:59Z".parse().unwrap());
    let reports = all(Run::new(plan)).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 2);
    for report in &reports {
        let key = ItemSummary::of(report).key.unwrap().to_string();
        assert!(key.starts_with("2026-01-02/"), "{key}");
    }
}

#[tokio::test]
async fn a_plan_without_sources_runs_to_its_end_at_once() {
    let bench = Bench::of(1).await;
    let exporter = bench.exporter().build().await.unwrap();
    let plan = Plan::new(&exporter, []).await.unwrap();
    assert!(all(Run::new(plan)).await.is_empty());
}
