//! Messages about refusals of stores and about settings that cannot work.

use tulip_core::NetworkOptions;
use tulip_core::sink::{OpenOptions, SinkError, SinkErrorKind, SinkRegistry, SinkUrl, WriteMode};
use tulip_test_s3::{BUCKET, KEY_ID, S3Server, S3ServerBuilder, SECRET};

use super::{full, sink};
use crate::support::{connect, key};

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_named_so_and_a_ca_file_helps() {
    let server = S3ServerBuilder::default().tls().start().await;
    let url: SinkUrl = "s3://lake/tulip".parse().unwrap();
    let url = url
        .with_option("endpoint", &server.endpoint)
        .with_option("access_key_id", KEY_ID)
        .with_option("secret_access_key", SECRET);
    let registry = SinkRegistry::linked().unwrap();
    let mut network = NetworkOptions::default();
    let unknown = registry.connect(&url, &network).await.unwrap();
    let error = unknown.probe(WriteMode::Overwrite).await.unwrap_err();
    let words = "the store's certificate is not trusted";
    assert!(error.to_string().contains(words), "{}", full(&error));
    assert!(!error.is_retryable());
    network.ca_file = Some(server.ca_file());
    let known = registry.connect(&url, &network).await.unwrap();
    known.probe(WriteMode::Overwrite).await.unwrap();
}

async fn probed(url: &str, options: &[(&str, &str)]) -> SinkError {
    let sink = connect(url, options).await.unwrap();
    sink.probe(WriteMode::Overwrite).await.unwrap_err()
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
        (
            400,
            "EntityTooLarge",
            SinkErrorKind::TooLarge,
            "of this size",
        ),
        (
            400,
            "QuotaExceeded",
            SinkErrorKind::StorageFull,
            "no space left",
        ),
        (
            400,
            "InvalidStorageClass",
            SinkErrorKind::InvalidTarget,
            "option",
        ),
    ] {
        server.refuse(move |_| Some((status, code)));
        let error = sink.probe(WriteMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(full(&error).contains(code), "{}", full(&error));
    }
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

#[tokio::test]
async fn what_is_announced_larger_than_the_memory_allows_is_refused_at_open() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let options = OpenOptions::default().with_size_hint(Some(1 << 50));
    let Err(error) = sink.open(&key("a.csv"), &options).await else {
        panic!("a PiB fits into 40 MiB");
    };
    assert_eq!(error.kind(), SinkErrorKind::TooLarge);
    assert!(error.to_string().contains("at most 390GiB fit"), "{error}");
    assert!(server.seen().is_empty());
}

/// A proxy in front of a store sees the size of a body only when one is sent.
#[tokio::test]
async fn a_check_finds_a_proxy_that_takes_no_part() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.refuse(|seen| {
        let length = seen
            .headers
            .get("content-length")
            .map(|length| length.parse());
        let large = matches!(length, Some(Ok(1_048_577_usize..)));
        let page = "<html><head><title>413 Request Entity Too Large</title></head></html>";
        large.then_some((413, page))
    });
    sink.probe(WriteMode::Overwrite).await.unwrap();
    let error = sink.check(WriteMode::Overwrite).await.unwrap_err();
    assert!(error.to_string().contains("part_size"), "{error}");
    let said = full(&error);
    assert!(
        said.contains("HTTP 413 Payload Too Large: 413 Request"),
        "{said}"
    );
    assert_eq!(server.open_uploads(), Vec::<String>::new());
}
