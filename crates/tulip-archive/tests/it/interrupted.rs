//! Interrupted downloads and exports, which leave the previous object.

use proptest::prelude::*;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tulip_archive::{Client, Event, ExportErrorKind, Exporter, KeyTemplate, Source};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::support::{Bench, fast, receipt};

const ROWS: u64 = 120_000;

/// A folder that already has `latest.csv` and its receipt.
async fn with_previous() -> (Bench, Vec<u8>) {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().rows(3));
    let exporter = latest(&bench).await;
    receipt(&exporter.export(Source::job(job)).await.unwrap());
    let previous = bench.read("latest.csv");
    (bench, previous)
}

async fn latest(bench: &Bench) -> Exporter {
    latest_by(bench, bench.without_retries()).await
}

async fn latest_by(bench: &Bench, client: Client) -> Exporter {
    let builder = Exporter::builder(client).poll(fast());
    let builder = builder.to(bench.folder.path().to_str().unwrap());
    let name = KeyTemplate::parse("latest.csv").unwrap();
    builder.name(name).build().await.unwrap()
}

fn is_untouched(bench: &Bench, previous: &[u8]) {
    assert_eq!(bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
    assert_eq!(bench.read("latest.csv"), previous);
}

#[tokio::test]
async fn a_download_that_breaks_off_or_stalls_leaves_the_previous_object() {
    let (bench, previous) = with_previous().await;
    let (client, short_timeout) = (bench.without_retries(), bench.with_short_read_timeout());
    for fault in [
        Fault::Cut { after: 100 },
        Fault::Cut { after: 8_000_000 },
        Fault::Stall { after: 100 },
        Fault::Stall { after: 8_000_000 },
    ] {
        let job = bench.job(JobScript::new().rows(ROWS));
        bench.emulator.fail_next(Endpoint::Asset, 1, fault.clone());
        let client = match fault {
            Fault::Stall { .. } => &short_timeout,
            _ => &client,
        };
        let exporter = latest_by(&bench, client.clone()).await;
        let export = exporter.export(Source::job(job.clone()));
        let error = export.await.unwrap_err();
        assert_eq!(error.job(), Some(&job));
        assert_eq!(
            error.kind(),
            ExportErrorKind::Download,
            "{fault:?}: {error}"
        );
        assert!(error.is_retryable());
        is_untouched(&bench, &previous);
    }
}

/// Each kind of download breaks off after the sink has taken a part of it.
#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    for (script, requests, restarts) in [
        (JobScript::new(), 1, false),
        // When the connection breaks, the URL has served its only request.
        (JobScript::new().url_requests(1), 1, false),
        (JobScript::new().chunked(), 1, false),
        (JobScript::new().without_ranges(), 1, true),
        (
            // Without a tag, the first range cannot be used.
            JobScript::new().without_etag(),
            2,
            true,
        ),
    ] {
        let (bench, _) = with_previous().await;
        let job = bench.job(script.clone().rows(ROWS));
        let whole = bench.content(&job);
        let fault = Fault::Cut { after: 8_000_000 };
        bench.emulator.fail_next(Endpoint::Asset, requests, fault);
        let before = bench.emulator.requests().asset_bytes;
        let exporter = latest_by(&bench, bench.client()).await;
        let outcome = exporter.export(Source::job(job)).await.unwrap();
        assert_eq!(bench.read("latest.csv"), whole, "{script:?}");
        assert_eq!(bench.files(), ["_latest.csv.receipt.json", "latest.csv"]);
        assert!(receipt(&outcome).attempts >= 2, "{script:?}");
        let sent = bench.emulator.requests().asset_bytes - before;
        assert_eq!(
            sent > whole.len() as u64 + 7_000_000,
            restarts,
            "{script:?}: {sent}"
        );
    }
}

#[tokio::test]
async fn a_url_that_has_expired_before_the_download_is_replaced() {
    let (bench, _) = with_previous().await;
    let job = bench.job(JobScript::new().rows(50));
    let whole = bench.content(&job);
    let expired = Reply::new(403).body("<Error><Code>AccessDenied</Code></Error>");
    // Perhaps only the range is refused, so the whole archive is requested before a fresh URL.
    bench.emulator.fail_next(Endpoint::Asset, 2, expired);
    let exporter = latest(&bench).await;
    exporter.export(Source::job(job.clone())).await.unwrap();
    assert_eq!(bench.read("latest.csv"), whole);
    let polls = bench
        .emulator
        .jobs()
        .into_iter()
        .find(|info| info.id == job);
    assert_eq!(polls.unwrap().polls, 2);
}

#[tokio::test]
async fn what_keeps_a_fresh_url_away_is_told_as_what_it_is() {
    let (bench, previous) = with_previous().await;
    for (status, kind) in [
        (403, ExportErrorKind::PermissionDenied),
        (404, ExportErrorKind::NotFound),
    ] {
        let job = bench.job(JobScript::new().url_lifetime(Duration::ZERO));
        let refusal = Reply::error(status, "Refused", "no more");
        let emulator = &bench.emulator;
        emulator.fail_next(Endpoint::Status, 1, Fault::None);
        emulator.fail_next(Endpoint::Status, 1, refusal);
        let export = latest(&bench).await.export(Source::job(job));
        let error = export.await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("could not renew"), "{error}");
        is_untouched(&bench, &previous);
    }
}

#[tokio::test]
async fn an_archive_over_the_limit_leaves_the_previous_object_whether_or_not_it_says_so() {
    let (bench, previous) = with_previous().await;
    for (script, announced) in [
        (JobScript::new(), true),
        (JobScript::new().chunked(), false),
    ] {
        let job = bench.job(script.rows(ROWS));
        let length = bench.content(&job).len() as u64;
        let limited = |most| {
            let builder = bench.exporter().max_bytes(most);
            builder.name(KeyTemplate::parse("latest.csv").unwrap())
        };
        let before = bench.emulator.requests().asset_bytes;
        let exporter = limited(length - 1).build().await.unwrap();
        let error = exporter.export(Source::job(job.clone())).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::TooLarge, "{error}");
        assert!(!error.is_retryable());
        is_untouched(&bench, &previous);
        let sent = bench.emulator.requests().asset_bytes - before;
        assert!(!announced || sent < length, "{sent}");
    }
    let job = bench.job(JobScript::new().rows(50));
    let whole = bench.content(&job);
    let builder = bench.exporter().max_bytes(whole.len() as u64);
    let builder = builder.name(KeyTemplate::parse("latest.csv").unwrap());
    let exporter = builder.build().await.unwrap();
    exporter.export(Source::job(job)).await.unwrap();
    assert_eq!(bench.read("latest.csv"), whole);
}

#[tokio::test]
async fn a_length_that_is_not_met_leaves_the_previous_object() {
    let (bench, previous) = with_previous().await;
    let exporter = latest(&bench).await;
    let whole = bench.content(&bench.job(JobScript::new().rows(50))).len() as u64;
    for declared in [whole + 1, whole - 1] {
        let job = bench.job(
            JobScript::new()
                .rows(50)
                .without_ranges()
                .declared_length(declared),
        );
        let error = exporter.export(Source::job(job)).await.unwrap_err();
        let expected = [
            ExportErrorKind::Download,
            ExportErrorKind::IncompleteArchive,
        ];
        assert!(expected.contains(&error.kind()), "{error}");
        is_untouched(&bench, &previous);
    }
}

#[tokio::test]
async fn an_expired_url_leaves_the_previous_object() {
    let (bench, previous) = with_previous().await;
    let job = bench.job(JobScript::new().url_lifetime(Duration::ZERO));
    let error = latest(&bench)
        .await
        .export(Source::job(job))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Download);
    assert!(error.is_retryable());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("the signed URL was refused"), "{cause}");
    is_untouched(&bench, &previous);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_archive_cut_anywhere_but_behind_a_record_is_refused(at in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (bench, previous) = with_previous().await;
            let whole = bench.content(&bench.job(JobScript::new().rows(40)));
            let cut = at.index(whole.len()) as u64;
            let job = bench.job(JobScript::new().rows(40).truncated(cut));
            match latest(&bench).await.export(Source::job(job)).await {
                Ok(_) => assert!(cut > 0 && whole[cut as usize - 1] == b'\n', "cut at {cut}"),
                Err(error) => {
                    // An archive that ends after the header is whole, but has no records.
                    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() as u64 + 1;
                    let expected = match cut == header {
                        true => ExportErrorKind::EmptyArchive,
                        false => ExportErrorKind::IncompleteArchive,
                    };
                    assert_eq!(error.kind(), expected, "cut at {cut}: {error}");
                    is_untouched(&bench, &previous);
                }
            }
        });
    }
}

#[tokio::test]
async fn a_cancellation_token_ends_an_export_when_it_is_cancelled_and_not_when_it_is_dropped() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    let dropped = CancellationToken::new().cancelled_owned();
    let job = bench.job(JobScript::new());
    let outcome = exporter.export(Source::job(job)).until(dropped).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    let stop = CancellationToken::new();
    let (job, cancelled) = (bench.job(JobScript::new()), stop.clone().cancelled_owned());
    stop.cancel();
    let error = exporter.export(Source::job(job)).until(cancelled).await;
    assert_eq!(error.unwrap_err().kind(), ExportErrorKind::Interrupted);
}

#[tokio::test]
async fn ending_a_download_in_order_leaves_the_previous_object() {
    let (bench, previous) = with_previous().await;
    let job = bench.job(JobScript::new().rows(ROWS));
    bench
        .emulator
        .fail_next(Endpoint::Asset, 1, Fault::Stall { after: 8_000_000 });
    let (end, ended) = oneshot::channel::<()>();
    let mut end = Some(end);
    let error = latest(&bench)
        .await
        .export(Source::job(job))
        .on_event(move |event| {
            if matches!(event, Event::Progress { bytes, .. } if bytes > 5_000_000) {
                end.take();
            }
        })
        .until(async {
            let _ = ended.await;
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    is_untouched(&bench, &previous);
}

#[tokio::test]
async fn ending_an_export_while_it_waits_takes_effect_at_once() {
    let (bench, previous) = with_previous().await;
    let hour = Duration::from_secs(3600);
    let exporter = Exporter::builder(bench.client())
        .to(bench.folder.path().to_str().unwrap())
        .poll(fast().intervals(hour, hour))
        .build()
        .await
        .unwrap();
    let job = bench.job(JobScript::new().pending_until_released());
    let (end, ended) = oneshot::channel::<()>();
    let mut end = Some(end);
    let error = exporter
        .export(Source::job(job))
        .on_event(move |_| drop(end.take()))
        .until(async {
            let _ = ended.await;
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    is_untouched(&bench, &previous);
}

#[test]
fn dropping_an_export_in_its_download_leaves_the_previous_object() {
    // With one blocking thread, a task queued behind the removal runs after it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (bench, previous) = with_previous().await;
        let job = bench.job(JobScript::new().rows(ROWS));
        bench
            .emulator
            .fail_next(Endpoint::Asset, 1, Fault::Stall { after: 8_000_000 });
        let (reached, far) = oneshot::channel::<()>();
        let mut reached = Some(reached);
        let exporter = Exporter::builder(bench.client())
            .to(bench.folder.path().to_str().unwrap())
            .name(KeyTemplate::parse("latest.csv").unwrap());
        let exporter = exporter.build().await.unwrap();
        let export = exporter.export(Source::job(job)).on_event(move |event| {
            if matches!(event, Event::Progress { bytes, .. } if bytes > 5_000_000) {
                drop(reached.take());
            }
        });
        tokio::select! {
            result = export.into_future() => panic!("{result:?}"),
            _ = far => {}
        }
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        is_untouched(&bench, &previous);
    });
}
