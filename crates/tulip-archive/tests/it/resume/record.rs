//! The records of incomplete exports, and the processes that claim them.

use tulip_archive::state::Claim;
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::sink::async_trait;

use super::*;

#[tokio::test]
async fn of_two_runs_at_once_the_second_is_told() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let first = it.wait_in(&exporter, JobScript::new()).await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::AlreadyRunning);
    assert!(error.is_retryable());
    let open = it.list().await.remove(0);
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
    let open = it.list().await.remove(0);
    let url = open.target_url().unwrap().unwrap();
    // Tuning the sink does not make it another export.
    let builder = Exporter::builder(it.bench.client())
        .to_url(url.with_option("memory", "20MiB"))
        .state(it.store())
        .resume_within(Duration::ZERO);
    let exporter = builder.settings_of(&open).build().await.unwrap();
    let resumed = exporter.resume(&open).unwrap().await.unwrap();
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    assert_eq!(resumed.receipt().unwrap().job, *open.job().unwrap());
    // Another process may have listed it too.
    let error = exporter.resume(&open).unwrap().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::NothingToResume);
    assert_eq!(it.starts(), 1);
    assert!(it.records().await.is_empty());
}

#[tokio::test]
async fn a_record_of_another_version_is_left_alone() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let export = it.wait_in(&exporter, JobScript::new()).await;
    let id = it.records().await.remove(0).id;
    it.release();
    export.await.unwrap().unwrap();
    let foreign = "{\"version\": 2, \"what\": \"this version does not know\"}";
    it.put(&id, foreign).await;
    exporter.export(it.source()).await.unwrap();
    let left = it.records().await.remove(0);
    assert_eq!((left.record.as_str(), left.is_claimed), (foreign, false));
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
async fn what_is_remembered_has_no_secret() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let credentials = it.bench.emulator.credentials();
    let header = credentials.basic_header();
    let asset_host = it.bench.emulator.asset_origin().to_string();
    for stored in it.records().await {
        for needle in [
            credentials.expose_secret(),
            header.trim_start_matches("Basic "),
            "Signature",
            &asset_host,
        ] {
            assert!(!stored.record.contains(needle), "{needle} in {stored:?}");
        }
    }
    let open = it.list().await.remove(0);
    assert!(open.bytes() >= 5_000_000 && open.job().is_some());
    assert_eq!(open.key().unwrap().as_str(), "latest.csv");
    // Once discarded, it leaves nothing.
    assert!(it.discard(&open).await);
    assert_eq!(it.bench.files(), Vec::<String>::new());
    assert!(it.records().await.is_empty());
}

#[tokio::test]
async fn a_record_that_is_not_understood_is_left_out_and_replaced() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let id = it.records().await.remove(0).id;
    for damaged in ["", "{", "{\"version\": 1}", "null"] {
        it.put(&id, damaged).await;
        assert!(it.list().await.is_empty(), "{damaged}");
    }
    it.exporter().await.export(it.source()).await.unwrap();
    assert!(it.records().await.is_empty());
}

/// A store that grants claims, but cannot be written.
#[derive(Debug)]
struct Unwritable(MemoryStateStore);

#[async_trait]
impl StateStore for Unwritable {
    async fn claim(&self, id: &str, new: Option<String>) -> Result<ClaimOutcome, StateError> {
        self.0.claim(id, new).await
    }

    async fn check(&self, claim: &Claim) -> Result<(), StateError> {
        self.0.check(claim).await
    }

    async fn save(&self, _: &Claim, _: String, _: bool) -> Result<(), StateError> {
        Err(StateError::new(StateErrorKind::Full, "no space left"))
    }

    async fn remove(&self, _: &Claim) -> Result<(), StateError> {
        Err(StateError::new(StateErrorKind::Full, "no space left"))
    }

    fn release(&self, claim: Claim) {
        self.0.release(claim);
    }

    async fn list(&self) -> Result<Vec<StoredRecord>, StateError> {
        self.0.list().await
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_written_ends_no_export() {
    let it = Resumable::start().await;
    let builder = it.builder().state(Arc::new(Unwritable(it.state.clone())));
    let exporter = builder.build().await.unwrap();
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    // Nor does one that cannot even grant claims.
    let gone = MemoryStateStore::new();
    drop(gone.restarted());
    let builder = it.builder().state(Arc::new(gone));
    let exporter = builder.build().await.unwrap();
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 2);
}

/// The next process wrongly takes the first one for dead.
#[tokio::test]
async fn an_export_that_was_taken_over_ends_and_leaves_the_other_alone() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let first = it.wait_in(&exporter, JobScript::new().rows(ROWS)).await;
    let next = it.state.restarted();
    let builder = it.builder().state(Arc::new(next.clone()));
    let next_exporter = builder.build().await.unwrap();
    let second = tokio::spawn(next_exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 2)
        .await;
    it.release();
    let outcome = second.await.unwrap().unwrap();
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Fenced, "{error}");
    assert!(error.is_retryable() && error.job().is_some());
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    assert_eq!(receipt(&outcome).bytes, it.whole().len() as u64);
    assert_eq!(it.bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
    assert_eq!(it.starts(), 1);
    assert!(next.list().await.unwrap().is_empty());
}

/// The first process was paused before it could ask Tulip for an archive.
#[tokio::test]
async fn an_export_that_was_taken_over_starts_nothing() {
    let it = Resumable::start().await;
    let busy = Reply::busy(429).retry_after(Duration::from_secs(1));
    it.bench.emulator.fail_next(Endpoint::Start, 1, busy);
    let exporter = it.exporter().await;
    let first = tokio::spawn(exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Start, 1)
        .await;
    let next = it.state.restarted();
    let builder = it.builder().state(Arc::new(next));
    let next_exporter = builder.build().await.unwrap();
    let second = next_exporter.export(it.source()).await;
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Fenced, "{error}");
    // The second run starts an archive, unless it finds that one may have been started.
    match second {
        Ok(_) => assert_eq!(it.starts(), 1),
        Err(error) => {
            assert_eq!(error.kind(), ExportErrorKind::StartUnknown);
            assert_eq!(it.starts(), 0);
        }
    }
}
