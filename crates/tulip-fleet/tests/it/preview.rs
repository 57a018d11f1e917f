//! A preview reports what a run would do, and does none of it.

use tulip_emulator::Endpoint;
use tulip_fleet::archive::{IfExists, KeyTemplate, Source};
use tulip_fleet::{ItemOutcome, Plan, PlanError, PreviewAction, Run, preview};

use crate::support::{Bench, all, count};

#[tokio::test]
async fn nothing_is_started_and_nothing_is_written() {
    let bench = Bench::of(3).await;
    let target = bench.folder.path().join("not there yet");
    let exporter = bench.exporter().to(target.to_str().unwrap());
    let exporter = exporter.build().await.unwrap();
    let sources = bench.sources().await;
    let before = bench.emulator.requests().api.len();
    let previews = preview(&exporter, sources).await.unwrap();
    assert_eq!(previews.len(), 3);
    for one in &previews {
        assert!(matches!(one.action, PreviewAction::Start), "{one:?}");
        let location = one.location.as_ref().unwrap();
        assert!(location.ends_with("/JOB.csv"), "{location}");
    }
    assert_eq!(bench.emulator.requests().api.len(), before);
    assert!(!target.exists());
}

#[tokio::test]
async fn objects_that_are_to_be_kept_are_found() {
    let bench = Bench::of(3).await;
    let template = || KeyTemplate::parse("{machine}.csv").unwrap();
    let exporter = bench.exporter().name(template()).build().await.unwrap();
    let sources = bench.sources().await;
    let first = Plan::new(&exporter, sources[..1].to_vec()).await.unwrap();
    assert_eq!(count(&all(Run::new(first)).await, ItemOutcome::Stored), 1);
    for (rule, expected) in [
        (IfExists::Skip, ["keep", "start", "start"]),
        (IfExists::Fail, ["fail", "start", "start"]),
        (IfExists::Overwrite, ["start", "start", "start"]),
    ] {
        let exporter = bench.exporter().name(template()).if_exists(rule);
        let exporter = exporter.build().await.unwrap();
        let previews = preview(&exporter, sources.clone()).await.unwrap();
        let actions = previews.iter().map(|one| match &one.action {
            PreviewAction::Start => "start",
            PreviewAction::Keep => "keep",
            PreviewAction::Fail(why) if why.to_string().ends_with("already exists") => "fail",
            other => panic!("{other:?}"),
        });
        assert!(actions.eq(expected), "{rule:?}");
    }
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
}

#[tokio::test]
async fn jobs_are_exported_and_colliding_keys_refused() {
    let bench = Bench::of(2).await;
    let exporter = bench.exporter().build().await.unwrap();
    let previews = preview(&exporter, [Source::job("j1".parse().unwrap())]).await;
    assert!(
        matches!(&previews.unwrap()[0].action, PreviewAction::Export(job) if job.as_str() == "j1")
    );
    let template = KeyTemplate::parse("{date}.csv").unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let refused = preview(&exporter, bench.sources().await).await.unwrap_err();
    assert!(matches!(refused, PlanError::Collisions(_)));
}
