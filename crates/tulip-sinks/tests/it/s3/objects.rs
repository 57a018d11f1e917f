//! How objects are sent, stored, found and not replaced.

use bytes::Bytes;
use tulip_core::sink::{Metadata, OpenOptions, SinkErrorKind, WriteMode};
use tulip_test_s3::{S3Server, S3ServerBuilder, Seen};

use super::{LARGE, sink, sink_with};
#[cfg(feature = "gcs")]
use crate::support::connect;
use crate::support::{bytes, key, put};

#[tokio::test]
async fn a_small_object_is_one_put_with_its_type_and_metadata() {
    let server = S3Server::start().await;
    let options = [
        ("storage_class", "REDUCED_REDUNDANCY"),
        ("metadata.Team", "ops"),
    ];
    let sink = sink_with(&server, &options).await;
    let options = OpenOptions::default()
        .with_content_type("text/csv")
        .with_metadata(Metadata::from([("tulip-job".into(), "Job 7ä".into())]));
    let mut writer = sink.open(&key("a b/ä.csv"), &options).await.unwrap();
    writer.write(Bytes::from_static(b"a,b\n")).await.unwrap();
    writer.write(Bytes::from_static(b"1,2\n")).await.unwrap();
    let checksum = Metadata::from([("tulip-checksum".into(), "crc64nvme:00".into())]);
    writer.annotate(&checksum);
    let stored = writer.close().await.unwrap();
    assert_eq!(stored.bytes, 8);
    assert!(stored.etag.is_some());
    assert_eq!(server.object("tulip/a b/ä.csv").unwrap(), b"a,b\n1,2\n");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let headers = &seen[0].headers;
    for (name, value) in [
        ("content-type", "text/csv"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-meta-team", "ops"),
        ("x-amz-meta-tulip-job", "Job 7%C3%A4"),
        ("x-amz-meta-tulip-checksum", "crc64nvme:00"),
    ] {
        assert_eq!(headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_large_object_goes_in_parts_of_which_four_are_on_their_way() {
    let server = S3ServerBuilder::default().gate(4).start().await;
    let sink = sink(&server).await;
    let content = bytes(6 * 8 * 1024 * 1024 + 1, 3);
    let stored = put(&*sink, "large.csv", &content, WriteMode::Overwrite).await;
    assert_eq!(stored.unwrap().bytes, content.len() as u64);
    assert_eq!(server.object("tulip/large.csv").unwrap(), content);
    assert_eq!(server.parts().most, 4);
    assert_eq!(
        server.seen().iter().filter(|seen| seen.is_part()).count(),
        7
    );
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
}

#[tokio::test]
async fn memory_says_how_many_parts_are_on_their_way() {
    let server = S3ServerBuilder::default().gate(2).start().await;
    let sink = sink_with(&server, &[("memory", "15MiB"), ("part_size", "5MiB")]).await;
    let content = bytes(6 * 5 * 1024 * 1024, 3);
    put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(server.parts().most, 2);
}

#[tokio::test]
async fn an_object_of_one_part_is_staged_on_close_and_others_when_they_are_written() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let part = 8 * 1024 * 1024;
    for (hint, stages_on_close) in [(part, true), (part + 1, false)] {
        let options = OpenOptions::default().with_size_hint(Some(hint as u64));
        let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
        assert_eq!(writer.stages_on_close(), stages_on_close, "{hint}");
        writer.write(bytes(hint, 1)).await.unwrap();
        assert_eq!(server.seen().is_empty(), stages_on_close, "{hint}");
        writer.abort().await.unwrap();
    }
}

#[tokio::test]
async fn an_object_of_exactly_one_part_is_put_whole() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let content = bytes(8 * 1024 * 1024, 3);
    put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(server.seen().len(), 1);
    assert_eq!(server.object("tulip/a.csv").unwrap(), content);
}

#[tokio::test]
async fn the_checksum_that_the_store_computed_is_handed_back() {
    let server = S3Server::start().await;
    let sink = sink_with(&server, &[("checksum", "crc64nvme")]).await;
    let content = Bytes::from_static(b"123456789");
    let stored = put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    let checksum = stored.checksum.unwrap().to_string();
    assert_eq!(checksum, "crc64nvme:ae8b14860a799888");
    let none = sink_with(&server, &[]).await;
    let stored = put(&*none, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(stored.checksum, None);
}

#[tokio::test]
async fn an_object_that_is_there_is_kept_by_the_server_itself() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    for (name, length) in [("small.csv", 3), ("large.csv", LARGE)] {
        let first = bytes(length, 1);
        put(&*sink, name, &first, WriteMode::Create).await.unwrap();
        let again = put(&*sink, name, &bytes(length, 2), WriteMode::Create).await;
        assert!(again.unwrap_err().is_already_exists(), "{name}");
        assert_eq!(server.object(&format!("tulip/{name}")).unwrap(), first);
    }
    assert!(sink.capabilities().atomic_create);
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
    let left = server.object("tulip").is_some();
    assert!(!left && no_probe_is_left(&server));
}

fn no_probe_is_left(server: &S3Server) -> bool {
    let probe = |seen: &&Seen| seen.target.contains(".tulip-probe.");
    let seen = server.seen();
    let name = seen
        .iter()
        .find(probe)
        .unwrap()
        .target
        .split('?')
        .next()
        .unwrap();
    server.object(name.trim_start_matches("/lake/")).is_none()
}

#[tokio::test]
async fn a_server_that_forgets_conditions_is_found_out_and_not_believed() {
    let server = S3ServerBuilder::default()
        .forgets_conditions()
        .start()
        .await;
    let sink = sink(&server).await;
    let refused = put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Create).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::Unsupported);
    let probed = sink.probe(WriteMode::Create).await.unwrap().capabilities;
    assert!(!probed.atomic_create && probed.lookup);
    // The capabilities of the protocol do not change.
    assert!(sink.capabilities().atomic_create);
    assert!(server.object("tulip/a.csv").is_none() && no_probe_is_left(&server));
    let told = sink_with(&server, &[("create_only", "never")]).await;
    assert!(!told.capabilities().atomic_create);
}

#[cfg(feature = "gcs")]
#[tokio::test]
async fn google_gets_metadata_by_its_own_headers() {
    let server = S3ServerBuilder::default().google().start().await;
    let options = [
        ("endpoint", server.endpoint.as_str()),
        ("anonymous", "true"),
    ];
    let sink = connect("gs://lake/tulip", &options).await.unwrap();
    let options = OpenOptions::default()
        .with_content_type("text/csv")
        .with_metadata(Metadata::from([("tulip-job".into(), "j".into())]));
    let writer = sink.open(&key("a.csv"), &options).await.unwrap();
    writer.close().await.unwrap();
    let headers = &server.seen()[0].headers;
    assert_eq!(headers["content-type"], "text/csv");
    assert_eq!(headers["x-goog-meta-tulip-job"], "j");
}

#[tokio::test]
async fn a_lookup_finds_what_is_there() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    assert_eq!(sink.lookup(&key("a.csv")).await.unwrap(), None);
    let content = bytes(LARGE, 1);
    put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    let found = sink.lookup(&key("a.csv")).await.unwrap().unwrap();
    assert_eq!(found.bytes, LARGE as u64);
}

#[tokio::test]
async fn a_probe_writes_nothing_that_can_be_seen() {
    let server = S3Server::start().await;
    sink(&server)
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap();
    assert!(server.uploads().is_empty());
    let methods: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.method.to_string())
        .collect();
    assert_eq!(methods, ["POST", "DELETE", "GET"]);
}

/// The answer to an upload of parts may name another tag than a lookup returns. Such a tag would
/// make the object look replaced.
#[tokio::test]
async fn an_object_of_parts_has_the_entity_tag_of_a_lookup_or_none() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let content = bytes(LARGE, 1);
    let stored = put(&*sink, "a.csv", &content, WriteMode::Overwrite).await;
    let stored = stored.unwrap();
    let found = sink.lookup(&key("a.csv")).await.unwrap().unwrap();
    assert!(found.etag.is_some());
    assert_eq!(stored.etag, found.etag);

    server.refuse(|seen| (seen.method == "HEAD").then_some((403, "AccessDenied")));
    let stored = put(&*sink, "b.csv", &content, WriteMode::Overwrite).await;
    assert_eq!(stored.unwrap().etag, None);
    assert_eq!(server.object("tulip/b.csv").unwrap(), content);
}
