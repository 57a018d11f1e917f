//! Bytes of an object that need not be downloaded again.

use serde_json::Value;
use tulip_archive::{Admission, Permit, Turn};
use tulip_core::sink::staged_name;

use super::*;

#[tokio::test]
async fn a_cancelled_export_goes_on_with_its_job_and_its_bytes() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    assert_eq!(it.staged().len(), 1);
    assert!(!it.bench.folder.path().join("latest.csv").exists());
    let before = it.bench.emulator.requests().asset_bytes;
    let (outcome, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    let whole = it.whole();
    assert_eq!(it.bench.read("latest.csv"), whole);
    assert_eq!(receipt(&outcome).bytes, whole.len() as u64);
    assert_eq!(it.bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
    assert_eq!(it.starts(), 1);
    let sent = it.bench.emulator.requests().asset_bytes - before;
    assert!(sent < whole.len() as u64 - 4_000_000, "{sent}");
    assert!(it.records().await.is_empty());
}

#[tokio::test]
async fn the_bytes_of_an_export_whose_time_is_up_are_kept() {
    let it = Resumable::start().await;
    let stalls = [Fault::Stall { after: 9_000_000 }];
    let script = JobScript::new().rows(ROWS).asset_faults(stalls);
    it.bench.emulator.script_next(script);
    let limit = EndReason::TimeLimit("the time limit of the run was reached".into());
    let error = it.end_at(5_000_000, limit).await;
    assert_eq!(error.kind(), ExportErrorKind::DeadlineExceeded);
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    assert_eq!(it.bench.read("latest.csv"), it.whole());
}

#[tokio::test]
async fn a_resumed_job_keeps_the_date_of_its_first_run() {
    let it = Resumable::start().await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let named = |builder: ExporterBuilder| builder.name(KeyTemplate::parse("{date}.csv").unwrap());
    let exporter = named(it.builder()).build().await.unwrap();
    it.bench
        .emulator
        .script_next(JobScript::new().rows(3).pending_until_released());
    let first = exporter
        .export(it.source())
        .dated(at("2026-01-02T23:59:00Z"));
    let (end, ended) = oneshot::channel::<()>();
    let first = tokio::spawn(first.until(async { drop(ended.await) }).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    drop(end);
    assert!(first.await.unwrap().is_err());
    it.release();
    let next = at("2026-01-03T00:01:00Z");
    exporter.export(it.source()).dated(next).await.unwrap();
    assert_eq!(
        it.bench.files(),
        ["2026-01-02.csv", "_2026-01-02.csv.receipt.json"]
    );
    // Without a job to resume, the time is the one that was given.
    it.bench.emulator.script_next(JobScript::new().rows(3));
    exporter.export(it.source()).dated(next).await.unwrap();
    assert!(it.bench.files().contains(&"2026-01-03.csv".to_owned()));
}

/// Makes every transfer wait indefinitely.
#[derive(Debug)]
struct NeverTransfers;

impl Admission for NeverTransfers {
    fn start(&self) -> Turn<'_, Permit> {
        Box::pin(async { Box::new(()) as Permit })
    }

    fn download(&self) -> Turn<'_, Permit> {
        self.start()
    }

    fn transfer(&self, _: Option<u64>) -> Turn<'_, Permit> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_resumed_export_that_is_cancelled_while_it_is_deferred_keeps_its_bytes() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let staged = it.staged();
    let (end, ended) = oneshot::channel::<()>();
    let mut end = Some(end);
    let export = it.exporter().await.export(it.source());
    let export = export
        .admission(Arc::new(NeverTransfers))
        .on_event(move |event| {
            if matches!(event, Event::Deferred { .. }) {
                end.take();
            }
        })
        .until(async {
            let _ = ended.await;
        });
    let error = export.await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    assert_eq!(it.staged(), staged);
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    assert_eq!((it.starts(), it.staged().len()), (1, 0));
}

/// A dropped future leaves the same behind as a killed process.
#[tokio::test]
async fn what_a_dropped_export_had_written_by_its_last_checkpoint_is_gone_on_with() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(MANY_ROWS);
    let stalls = [Fault::Stall { after: 40_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    let (far, reached) = oneshot::channel::<()>();
    let mut far = Some(far);
    let exporter = it.exporter().await;
    let export = exporter.export(it.source()).on_event(move |event| {
        if matches!(event, Event::Progress { bytes, .. } if bytes > 39_000_000) {
            far.take();
        }
    });
    tokio::select! {
        _ = export.into_future() => panic!("the host stalls"),
        _ = reached => {}
    }
    let before = it.bench.emulator.requests().asset.len();
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    assert!(it.bench.read("latest.csv") == it.whole());
    // The requests of the dropped export may still be served, and logged, for a moment.
    let asked: Vec<u64> = it.bench.emulator.requests().asset[before..]
        .iter()
        .map(|request| {
            let range = request.range.as_deref().unwrap_or("bytes=0-");
            let (first, _) = range["bytes=".len()..].split_once('-').unwrap();
            first.parse().unwrap()
        })
        .collect();
    assert!(asked.contains(&(32 << 20)), "{asked:?}");
    assert!(asked.iter().all(|first| *first >= 32 << 20), "{asked:?}");
    assert_eq!((it.starts(), it.staged().len()), (1, 0));
}

#[tokio::test]
async fn an_archive_that_has_changed_between_two_runs_is_downloaded_anew() {
    let it = Resumable::start().await;
    it.begin(JobScript::new().asset_always(Fault::Replaced))
        .await;
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "downloading", "exported"]);
    let job = it.bench.emulator.jobs().last().unwrap().id.clone();
    let replaced = it.bench.emulator.replaced_content(&job).unwrap();
    assert_eq!(it.bench.read("latest.csv"), replaced.to_bytes());
    assert_eq!(it.bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
}

#[tokio::test]
async fn what_is_not_what_was_written_is_not_gone_on_with() {
    for damage in ["changed", "shortened", "removed"] {
        let it = Resumable::start().await;
        it.begin(JobScript::new()).await;
        let staged = it.staged().remove(0);
        let mut bytes = std::fs::read(&staged).unwrap();
        match damage {
            "changed" => bytes[1_234_567] ^= 1,
            _ => bytes.truncate(1_000),
        }
        std::fs::write(&staged, bytes).unwrap();
        if damage == "removed" {
            std::fs::remove_file(&staged).unwrap();
        }
        let (_, told) = it.run(it.builder()).await;
        assert_eq!(told, ["attached", "downloading", "exported"], "{damage}");
        assert_eq!(it.bench.read("latest.csv"), it.whole(), "{damage}");
        assert_eq!(it.bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
    }
}

#[tokio::test]
async fn bytes_that_are_kept_outlast_a_run_that_brings_none() {
    let it = Resumable::start().await;
    it.begin(JobScript::new()).await;
    let elsewhere = Reply::redirect(302, "http://169.254.169.254/latest");
    it.bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere);
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Download);
    let before = it.bench.emulator.requests().asset_bytes;
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    let sent = it.bench.emulator.requests().asset_bytes - before;
    assert!(sent < it.whole().len() as u64 - 4_000_000, "{sent}");
}

#[tokio::test]
async fn the_same_job_twice_is_downloaded_once_unless_the_object_is_another() {
    let it = Resumable::start().await;
    let job = it.bench.job(JobScript::new().rows(50));
    let exporter = it.exporter().await;
    let first = exporter.export(Source::job(job.clone())).await.unwrap();
    let asked = it.bench.emulator.requests();
    let again = exporter.export(Source::job(job.clone())).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");
    assert_eq!(again.receipt(), first.receipt());
    let now = it.bench.emulator.requests();
    assert_eq!(
        (now.api.len(), now.asset.len()),
        (asked.api.len(), asked.asset.len()),
        "nothing is asked for"
    );
    let whole = it.bench.read("latest.csv");
    let damaged = [&whole[..whole.len() - 1], b"x"].concat();
    for (file, content) in [
        ("latest.csv", damaged.as_slice()),
        ("latest.csv", b"State\n"),
        ("_latest.csv.receipt.json", b"{}"),
    ] {
        let path = it.bench.folder.path().join(file);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        let repaired = exporter.export(Source::job(job.clone())).await.unwrap();
        assert!(matches!(repaired, Outcome::Exported { .. }), "{file}");
        assert_eq!(it.bench.read("latest.csv"), whole);
    }
}

/// The process ends while it writes the receipt, and the next run writes another.
#[tokio::test]
async fn what_a_run_has_staged_of_a_receipt_is_removed_by_the_next() {
    let it = Resumable::start().await;
    let receipt = "_latest.csv.receipt.json";
    let in_the_way = it.bench.folder.path().join(receipt);
    std::fs::create_dir(&in_the_way).unwrap();
    let script = JobScript::new().rows(50);
    it.bench.emulator.script_next(script);
    let exporter = it.exporter().await;
    exporter.export(it.source()).await.unwrap_err();
    std::fs::remove_dir(&in_the_way).unwrap();

    let stored = it.records().await.remove(0);
    let mut record: Value = serde_json::from_str(&stored.record).unwrap();
    let name = staged_name(receipt, 7);
    std::fs::write(it.bench.folder.path().join(&name), b"{").unwrap();
    record["pending"]["staged"]["left"]["resume_token"] = name.into();
    it.put(&stored.id, &record.to_string()).await;

    let (outcome, _) = it.run(it.builder()).await;
    assert!(matches!(outcome, Outcome::Exported { .. }), "{outcome:?}");
    assert_eq!(it.bench.files(), [receipt, "latest.csv"]);
    assert_eq!(it.starts(), 1);
}

/// The process ends between writing the receipt and removing the record.
#[tokio::test]
async fn an_export_that_was_done_and_not_forgotten_is_found_done() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let export = it.wait_in(&exporter, JobScript::new().rows(50)).await;
    let remembered = it.records().await.remove(0);
    it.release();
    export.await.unwrap().unwrap();
    it.put(&remembered.id, &remembered.record).await;
    let (outcome, told) = it.run(it.builder()).await;
    assert!(matches!(outcome, Outcome::Unchanged { .. }));
    assert_eq!(told, ["attached", "unchanged"]);
    assert_eq!(it.starts(), 1);
    assert!(it.records().await.is_empty());
}
