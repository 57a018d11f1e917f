//! Leftovers of writers whose process was killed.

use std::time::{Duration, SystemTime};

use tulip_core::Timestamp;
use tulip_core::sink::{OpenOptions, Sink, SinkErrorKind, StaleUpload, WriteMode};
use tulip_test_s3::S3Server;
#[cfg(feature = "gcs")]
use tulip_test_s3::S3ServerBuilder;

use super::{LARGE, full, sink};
#[cfg(feature = "gcs")]
use crate::support::connect;
use crate::support::{bytes, key};

/// An upload that has begun and whose writer is gone, as after `kill -9`.
async fn left(sink: &dyn Sink, name: &str) -> StaleUpload {
    let opened = Timestamp::now();
    let mut writer = sink
        .open(&key(name), &OpenOptions::default())
        .await
        .unwrap();
    writer.write(bytes(LARGE, 1)).await.unwrap();
    // A checkpoint keeps nothing here, but waits for the parts in flight.
    assert_eq!(writer.checkpoint().await.unwrap(), None);
    let trace = writer.resume_token();
    assert!(trace.is_some());
    std::mem::forget(writer);
    StaleUpload::new(opened).with_resume_token(trace)
}

#[tokio::test]
async fn what_a_killed_writer_has_left_is_found_with_and_without_its_trace() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let known = left(&*sink, "a.csv").await;
    let unknown = left(&*sink, "b.csv").await.with_resume_token(None);
    // Uploads of others: one from before, and one of another object.
    server.orphan("tulip/b.csv", Duration::from_secs(3600));
    server.orphan("tulip/b.csv.old", Duration::ZERO);
    assert_eq!(server.open_uploads().len(), 4);
    sink.discard(&key("a.csv"), &known).await.unwrap();
    sink.discard(&key("b.csv"), &unknown).await.unwrap();
    let mut others = server.open_uploads();
    others.sort();
    assert_eq!(others, ["tulip/b.csv", "tulip/b.csv.old"]);
    assert_eq!(server.uploads(), Vec::<String>::new());
}

#[tokio::test]
async fn a_sweep_aborts_what_is_old_and_below_the_prefix() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let _ = left(&*sink, "now.csv").await;
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    server.orphan("tulip/a/old.csv", hours(2));
    server.orphan("tulip/b/older.csv", hours(3));
    server.orphan("other/x.csv", hours(2));
    server.orphan("tulip-2/x.csv", hours(2));
    // The store library cannot name this key.
    server.orphan("tulip/a//older.csv", hours(3));
    let before = |age| Timestamp::from(SystemTime::now() - age);
    assert_eq!(sink.sweep(before(hours(1))).await.unwrap(), 2);
    let mut others = server.open_uploads();
    others.sort();
    let left = [
        "other/x.csv",
        "tulip-2/x.csv",
        "tulip/a//older.csv",
        "tulip/now.csv",
    ];
    assert_eq!(others, left);
    assert_eq!(sink.sweep(before(hours(1))).await.unwrap(), 0);
}

#[tokio::test]
async fn a_list_that_is_refused_or_missing_says_so() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    for (status, code, kind) in [
        (403, "AccessDenied", SinkErrorKind::PermissionDenied),
        (501, "NotImplemented", SinkErrorKind::Unsupported),
    ] {
        server.refuse(move |seen| seen.target.contains("?uploads").then_some((status, code)));
        let unknown = StaleUpload::new(Timestamp::now());
        let error = sink.discard(&key("a.csv"), &unknown).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(full(&error).contains(code), "{}", full(&error));
        assert!(
            !full(&error).contains("X-Amz-Signature"),
            "{}",
            full(&error)
        );
    }
}

#[tokio::test]
async fn a_probe_removes_what_earlier_probes_were_killed_in() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.orphan("tulip/.tulip-probe", Duration::from_secs(5));
    server.orphan("tulip/.tulip-probe.csv", Duration::from_secs(5));
    sink.probe(WriteMode::Overwrite).await.unwrap();
    assert_eq!(server.open_uploads(), ["tulip/.tulip-probe.csv"]);
    // Some users may not list uploads.
    server.refuse(|seen| (seen.method == "GET").then_some((403, "AccessDenied")));
    sink.probe(WriteMode::Overwrite).await.unwrap();
}

/// Create-only uploads to Google are staged under another name.
#[cfg(feature = "gcs")]
#[tokio::test]
async fn what_was_gathered_under_another_name_is_removed_whether_or_not_it_is_whole() {
    let server = S3ServerBuilder::default().google().start().await;
    let options = [
        ("endpoint", server.endpoint.as_str()),
        ("anonymous", "true"),
        ("create_only", "always"),
    ];
    let sink = connect("gs://lake/tulip", &options).await.unwrap();
    let create = OpenOptions::default().with_mode(WriteMode::Create);
    let opened = Timestamp::now();
    let mut writer = sink.open(&key("a.csv"), &create).await.unwrap();
    writer.write(bytes(LARGE, 1)).await.unwrap();
    writer.checkpoint().await.unwrap();
    let trace = writer.resume_token();
    std::mem::forget(writer);
    let left = StaleUpload::new(opened).with_resume_token(trace.clone());
    // As if the process had ended between the end of the upload and the copy.
    let staged = format!("tulip/{}", trace.unwrap().rsplit('/').next().unwrap());
    server.put(&staged, b"whole");
    sink.discard(&key("a.csv"), &left).await.unwrap();
    assert_eq!(server.open_uploads(), Vec::<String>::new());
    assert_eq!(server.staged(), Vec::<String>::new());
}
