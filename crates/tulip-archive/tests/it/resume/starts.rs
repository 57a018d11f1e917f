//! Jobs that are resumed, and jobs that are not.

use tulip_core::Timestamp;

use super::*;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_followed_by_no_other() {
    let it = Resumable::start().await;
    let emulator = &it.bench.emulator;
    emulator.fail_next(Endpoint::Start, 1, Fault::LostReply);
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::StartUnknown);
    for _ in 0..2 {
        let error = exporter.export(it.source()).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::StartUnknown, "{error}");
        assert!(
            error.to_string().contains("may have been started"),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    assert_eq!(it.starts(), 1);
    // As if a person had looked at Tulip.
    let open = it.list().await.remove(0);
    assert!(open.is_start_unknown() && !open.running && open.job().is_none());
    assert!(it.discard(&open).await);
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 2);
    assert!(it.records().await.is_empty());
}

#[tokio::test]
async fn a_start_that_was_refused_or_never_sent_leaves_nothing() {
    let it = Resumable::start().await;
    let refusal = Reply::error(403, "Forbidden", "no");
    it.bench.emulator.fail_next(Endpoint::Start, 1, refusal);
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::PermissionDenied);
    assert!(it.records().await.is_empty());
}

#[tokio::test]
async fn a_job_that_tulip_no_longer_knows_is_followed_by_another() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let gone = Reply::error(404, "NotFound", "no such job");
    it.bench
        .emulator
        .fail_next(Endpoint::Status, 1, gone.clone());
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "started", "downloading", "exported"]);
    assert_eq!((it.starts(), it.staged().len()), (2, 0));
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    // A job of this run, or one that the caller has named, is not replaced.
    it.bench.emulator.fail_next(Endpoint::Status, 2, gone);
    for source in [it.source(), Source::job("j".parse().unwrap())] {
        let error = it.exporter().await.export(source).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::NotFound, "{error}");
    }
    assert_eq!(it.starts(), 3);
}

#[tokio::test]
async fn a_job_that_is_too_old_is_left_and_what_was_written_goes() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let builder = it.builder().resume_within(Duration::ZERO);
    let (_, told) = it.run(builder).await;
    assert_eq!(told, ["started", "downloading", "exported"]);
    assert_eq!(it.starts(), 2);
    assert_eq!(it.bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
}

#[tokio::test]
async fn ending_an_export_in_its_start_learns_the_job() {
    let it = Resumable::start().await;
    let (end, ended) = oneshot::channel::<()>();
    let slow = Fault::Drip {
        after: 0,
        piece: 16,
        pause: Duration::from_millis(5),
    };
    it.bench.emulator.fail_next(Endpoint::Start, 1, slow);
    let exporter = it.exporter().await;
    let export = exporter.export(it.source()).until(async {
        let _ = ended.await;
    });
    let export = tokio::spawn(export.into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Start, 1)
        .await;
    drop(end);
    let error = export.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    assert!(error.job().is_some(), "{error}");
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "downloading", "exported"]);
    assert_eq!(it.starts(), 1);
}

#[tokio::test]
async fn a_job_that_has_failed_is_not_gone_on_with() {
    let it = Resumable::start().await;
    it.bench.emulator.script_next(JobScript::new().fails("no"));
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::JobFailed);
    assert!(it.records().await.is_empty());
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 2);
}

#[tokio::test]
async fn a_start_that_is_waited_for_after_a_429_blocks_nobody() {
    let it = Resumable::start().await;
    let (end, ended) = oneshot::channel::<()>();
    let busy = Reply::busy(429).retry_after(Duration::from_secs(600));
    it.bench.emulator.fail_next(Endpoint::Start, 1, busy);
    let exporter = it.exporter().await;
    let export = exporter.export(it.source()).until(async {
        let _ = ended.await;
    });
    let export = tokio::spawn(export.into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Start, 1)
        .await;
    // A refused start is no longer recorded as possibly sent, however soon the run ends afterwards.
    while it.list().await.iter().any(|open| open.is_start_unknown()) {
        tokio::task::yield_now().await;
    }
    drop(end);
    let error = export.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    let open = it.list().await;
    assert!(
        open.iter()
            .all(|open| !open.is_start_unknown() && open.job().is_none())
    );
    it.exporter().await.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 1);
}

#[tokio::test]
async fn a_start_recorded_by_a_clock_that_was_ahead_counts_from_now() {
    let it = Resumable::start().await;
    it.bench
        .emulator
        .fail_next(Endpoint::Start, 1, Fault::LostReply);
    let exporter = it.exporter().await;
    exporter.export(it.source()).await.unwrap_err();
    let stored = it.records().await.remove(0);
    let year = Timestamp::now().date()[..4].to_owned();
    let ahead = stored.record.replace(&format!("\"{year}-"), "\"9000-");
    it.put(&stored.id, &ahead).await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::StartUnknown);
    let open = it.list().await.remove(0);
    assert!(open.began() <= Timestamp::now(), "{}", open.began());
    assert!(!it.records().await[0].record.contains("\"9000-"));
}
