//! What is remembered, by whom, and of what.

use super::*;

#[tokio::test]
async fn of_two_runs_at_once_the_second_is_told() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let first = it.wait_in(&exporter, JobScript::new()).await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::AlreadyRunning);
    assert!(error.is_retryable());
    let open = it.store().list().unwrap().remove(0);
    assert!(open.running);
    assert!(!it.discard(&open).await);
    it.release();
    first.await.unwrap().unwrap();
    assert_eq!(it.starts(), 1);
}

#[tokio::test]
async fn what_is_resumed_goes_on_however_old_it_is_and_starts_nothing() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let open = it.store().list().unwrap().remove(0);
    let url = open.target_url().unwrap().unwrap();
    // How the sink is tuned makes it no other export.
    let builder = Exporter::builder(it.bench.client())
        .to_url(url.with_option("memory", "20MiB"))
        .state(it.store())
        .resume_within(Duration::ZERO);
    let exporter = builder.settings_of(&open).build().await.unwrap();
    let resumed = exporter.resume(&open).unwrap().await.unwrap();
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    assert_eq!(resumed.receipt().unwrap().job, *open.job().unwrap());
    // Somebody else has listed it too.
    let error = exporter.resume(&open).unwrap().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::NotIncomplete);
    assert_eq!(it.starts(), 1);
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn a_state_of_another_version_is_left_alone() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let export = it.wait_in(&exporter, JobScript::new()).await;
    let record = it.state_files().remove(0);
    it.release();
    export.await.unwrap().unwrap();
    let foreign = "{\"version\": 2, \"what\": \"this version does not know\"}\n";
    std::fs::write(&record, foreign).unwrap();
    exporter.export(it.source()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&record).unwrap(), foreign);
}

#[tokio::test]
async fn another_target_or_name_is_another_export() {
    let it = Resumable::start().await;
    for _ in 0..2 {
        it.bench
            .emulator
            .script_next(JobScript::new().pending_until_released());
    }
    let elsewhere = TempDir::new().unwrap();
    let others = [
        it.builder().to(elsewhere.path().to_str().unwrap()),
        it.builder().name(KeyTemplate::parse("other.csv").unwrap()),
    ];
    let mut waiting = vec![tokio::spawn(
        it.exporter().await.export(it.source()).into_future(),
    )];
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    for (turn, other) in others.into_iter().enumerate() {
        let exporter = other.build().await.unwrap();
        waiting.push(tokio::spawn(exporter.export(it.source()).into_future()));
        it.bench
            .emulator
            .wait_for_requests(Endpoint::Start, turn + 2)
            .await;
    }
    it.release();
    for export in waiting {
        export.await.unwrap().unwrap();
    }
    assert_eq!(it.starts(), 3);
}

#[tokio::test]
async fn what_is_remembered_has_no_secret_and_is_its_owners_alone() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let credentials = it.bench.emulator.credentials();
    let header = credentials.basic_header();
    let asset_host = it.bench.emulator.asset_origin().to_string();
    for file in it.state_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for needle in [
            credentials.expose_secret(),
            header.trim_start_matches("Basic "),
            "Signature",
            &asset_host,
        ] {
            assert!(!text.contains(needle), "{needle} in {text}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
    }
    let open = it.store().list().unwrap().remove(0);
    assert!(open.bytes() >= 5_000_000 && open.job().is_some());
    assert_eq!(open.key().unwrap().as_str(), "latest.csv");
    // And discarded it leaves nothing.
    assert!(it.discard(&open).await);
    assert_eq!(it.bench.files(), Vec::<String>::new());
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn a_state_that_cannot_be_used_ends_no_export() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let export = it.wait_in(&exporter, JobScript::new()).await;
    // Nothing can be replaced in a folder that is gone.
    std::fs::remove_dir_all(it.state.path()).unwrap();
    it.release();
    export.await.unwrap().unwrap();
    // Nor understood that is none of ours.
    std::fs::create_dir(it.state.path()).unwrap();
    let folder = it.state.path().to_owned();
    it.bench.emulator.script_next(JobScript::new().fails("no"));
    let _ = exporter.export(it.source()).await;
    let file = |digit: &str| folder.join(format!("{}.jsonl", digit.repeat(32)));
    std::fs::write(file("a"), "{\n").unwrap();
    std::fs::write(file("b"), "{\"version\": 99}\n").unwrap();
    // And whose process was killed before it had written a line.
    std::fs::write(file("c"), "{").unwrap();
    // What has another name is nobody's business.
    std::fs::write(folder.join("events.jsonl"), "").unwrap();
    assert!(it.store().list().unwrap().is_empty());
    let left = [file("a"), file("b"), folder.join("events.jsonl")];
    assert_eq!(it.state_files(), left);
}
