//! `s3://`, against a server that verifies signatures.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tulip_core::sink::{
    ConnectOptions, Metadata, OpenOptions, Sink, SinkError, SinkErrorKind, SinkRegistry, SinkUrl,
    SinkWriter, WriteMode,
};

use crate::support::{bytes, connect, key, put};
use tulip_test_s3::{BUCKET, KEY_ID, S3Server, S3ServerBuilder, SECRET, Seen};

/// More than one part, and not a multiple of one.
const LARGE: usize = 17 * 1024 * 1024 + 17;

async fn sink_with(server: &S3Server, options: &[(&str, &str)]) -> Arc<dyn Sink> {
    let mut all = vec![
        ("endpoint", server.endpoint.as_str()),
        ("access_key_id", KEY_ID),
        ("secret_access_key", SECRET),
    ];
    all.extend_from_slice(options);
    connect("s3://lake/tulip", &all).await.unwrap()
}

async fn sink(server: &S3Server) -> Arc<dyn Sink> {
    sink_with(server, &[]).await
}

fn full(error: &SinkError) -> String {
    let cause = error.source().map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

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
    assert!(!sink.capabilities().atomic_create && sink.capabilities().lookup);
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
async fn a_certificate_of_an_unknown_authority_is_named_so_and_a_ca_file_helps() {
    let server = S3ServerBuilder::default().tls().start().await;
    let url: SinkUrl = "s3://lake/tulip".parse().unwrap();
    let url = url
        .with_option("endpoint", &server.endpoint)
        .with_option("access_key_id", KEY_ID)
        .with_option("secret_access_key", SECRET);
    let registry = SinkRegistry::linked().unwrap();
    let mut network = ConnectOptions::default();
    let unknown = registry.connect(&url, &network).await.unwrap();
    let error = unknown.probe().await.unwrap_err();
    let words = "the store's certificate is not trusted";
    assert!(error.to_string().contains(words), "{}", full(&error));
    assert!(!error.is_retryable());
    network.ca_file = Some(server.ca_file());
    let known = registry.connect(&url, &network).await.unwrap();
    known.probe().await.unwrap();
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
    sink(&server).await.probe().await.unwrap();
    assert!(server.uploads().is_empty());
    let methods: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.method.to_string())
        .collect();
    assert_eq!(methods, ["POST", "DELETE"]);
}

async fn probed(url: &str, options: &[(&str, &str)]) -> SinkError {
    let sink = connect(url, options).await.unwrap();
    sink.probe().await.unwrap_err()
}

#[tokio::test]
async fn a_probe_says_in_words_what_is_wrong() {
    let server = S3Server::start().await;
    let endpoint = ("endpoint", server.endpoint.as_str());
    let id = ("access_key_id", KEY_ID);
    let wrong = probed(
        "s3://lake/x",
        &[endpoint, id, ("secret_access_key", "wr0ng")],
    )
    .await;
    assert!(
        full(&wrong).contains("does not accept the signature"),
        "{wrong}"
    );
    assert!(!full(&wrong).contains("wr0ng"), "{wrong}");
    let nobody = [
        endpoint,
        ("access_key_id", "N0BODY"),
        ("secret_access_key", "x"),
    ];
    let nobody = probed("s3://lake/x", &nobody).await;
    assert!(nobody.is_permission_denied(), "{nobody}");
    assert!(
        nobody.to_string().contains("does not know these"),
        "{nobody}"
    );
    let closed = [
        ("endpoint", "http://127.0.0.1:1"),
        id,
        ("secret_access_key", "x"),
    ];
    let closed = probed("s3://lake/x", &closed).await;
    assert!(closed.to_string().contains("cannot be reached"), "{closed}");
    assert!(closed.is_retryable());
}

#[tokio::test]
async fn every_refusal_of_a_store_has_its_words() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    for (status, code, kind, words) in [
        (
            404,
            "NoSuchBucket",
            SinkErrorKind::NotFound,
            "no such bucket",
        ),
        (
            403,
            "AccessDenied",
            SinkErrorKind::PermissionDenied,
            "access denied",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            SinkErrorKind::PermissionDenied,
            "clock",
        ),
        (
            400,
            "ExpiredToken",
            SinkErrorKind::PermissionDenied,
            "expired",
        ),
        (
            400,
            "AuthorizationHeaderMalformed",
            SinkErrorKind::InvalidTarget,
            "another region",
        ),
        (
            301,
            "PermanentRedirect",
            SinkErrorKind::InvalidTarget,
            "another region",
        ),
        (400, "EntityTooLarge", SinkErrorKind::StorageFull, "no room"),
        (
            400,
            "InvalidStorageClass",
            SinkErrorKind::InvalidTarget,
            "option",
        ),
    ] {
        server.refuse(move |_| Some((status, code)));
        let error = sink.probe().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(full(&error).contains(code), "{}", full(&error));
    }
}

async fn write_all(writer: &mut dyn SinkWriter, content: &Bytes) -> Result<(), SinkError> {
    let mut rest = content.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(1 << 20))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_part_that_fails_ends_the_upload_and_is_the_error() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut parts = 0;
    server.refuse(move |seen| {
        parts += usize::from(seen.is_part());
        (seen.is_part() && parts == 2).then_some((403, "AccessDenied"))
    });
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    let mut result = Ok(());
    for _ in 0..16 {
        result = write_all(&mut *writer, &bytes(8 << 20, 1)).await;
        if result.is_err() {
            break;
        }
    }
    let error = result.unwrap_err();
    assert!(error.to_string().contains("access denied"), "{error}");
    assert!(writer.write(bytes(1, 1)).await.is_err());
    assert!(writer.close().await.is_err());
    assert!(server.object("tulip/a.csv").is_none());
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
}

#[tokio::test]
async fn an_overloaded_store_is_asked_again() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut first = true;
    server.refuse(move |seen| {
        let slow = seen.is_part() && std::mem::take(&mut first);
        slow.then_some((503, "SlowDown"))
    });
    let content = bytes(LARGE, 1);
    put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(server.object("tulip/a.csv").unwrap(), content);
}

#[tokio::test]
async fn aborting_removes_the_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    write_all(&mut *writer, &bytes(LARGE, 2)).await.unwrap();
    writer.abort().await.unwrap();
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
    assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(3, 1));
}

#[tokio::test]
async fn dropping_a_writer_removes_the_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    write_all(&mut *writer, &bytes(LARGE, 2)).await.unwrap();
    drop(writer);
    server.until(Seen::is_abort).await;
    assert!(server.object("tulip/a.csv").is_none());
}

/// The upload is there as soon as the server has been asked, whoever waits for its answer.
#[tokio::test]
async fn an_upload_whose_beginning_is_not_awaited_is_aborted_too() {
    for aborts in [true, false] {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        server.hold_beginnings(true);
        let options = OpenOptions::default();
        let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
        let content = bytes(LARGE, 1);
        tokio::select! {
            written = write_all(&mut *writer, &content) => panic!("{written:?}"),
            () = server.until_held(Seen::is_beginning) => {}
        }
        match aborts {
            true => {
                let (aborted, ()) = tokio::join!(writer.abort(), async {
                    server.hold_beginnings(false);
                });
                aborted.unwrap();
                assert_eq!(server.uploads(), Vec::<String>::new());
            }
            false => {
                drop(writer);
                server.hold_beginnings(false);
                server.until(Seen::is_abort).await;
            }
        }
    }
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_takes_back_its_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.hold_beginnings(true);
    tokio::select! {
        probed = sink.probe() => panic!("{probed:?}"),
        () = server.until_held(Seen::is_beginning) => {}
    }
    server.hold_beginnings(false);
    server.until(Seen::is_abort).await;
}

/// What is logged, in memory.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_abort_that_fails_is_logged_with_the_key() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.refuse(|seen| match () {
        () if seen.is_part() => Some((400, "EntityTooLarge")),
        () if seen.is_abort() => Some((403, "AccessDenied")),
        () => None,
    });
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let error = put(&*sink, "lost.csv", &bytes(LARGE, 1), WriteMode::Overwrite).await;
    assert!(error.unwrap_err().to_string().contains("no room"));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("an unfinished upload stays behind")
            && log.contains("s3://lake/tulip/lost.csv")
            && log.contains("access denied"),
        "{log}"
    );
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name() {
    let refused = async |url: &str, options: &[(&str, &str)]| {
        let error = connect(url, options).await.unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget, "{error}");
        full(&error)
    };
    for (url, options, words) in [
        ("s3:///x", &[][..], "names no bucket"),
        ("s3://lake/x", &[("regoin", "x")], "no option \"regoin\""),
        (
            "s3://key:s3cret@lake/x",
            &[],
            "credentials into the environment",
        ),
        ("s3://lake/x", &[("path_style", "s3cret")], "true or false"),
        (
            "s3://lake/x",
            &[("checksum", "md5")],
            "crc64nvme, sha256 or none",
        ),
        (
            "s3://lake/x",
            &[("create_only", "maybe")],
            "auto, always or never",
        ),
        ("s3://lake/x", &[("access_key_id", "a")], "go together"),
        (
            "s3://lake/x",
            &[("endpoint", "http://store.example")],
            "allow_http",
        ),
        (
            "s3://lake/x",
            &[("endpoint", "store.example")],
            "a URL such as",
        ),
        ("s3://lake/x", &[("metadata.a b", "x")], "metadata name"),
        ("s3://lake/x", &[("sse", "rot13")], "settings"),
        (
            "s3://lake/x",
            &[("profile", "nobody")],
            "no AWS profile \"nobody\"",
        ),
    ] {
        let said = refused(url, options).await;
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert_eq!(BUCKET, "lake");
}
