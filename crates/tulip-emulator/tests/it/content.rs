//! Archives with wrong bytes, served as if they were right.

use bytes::Bytes;
use tulip_emulator::{ContentFault, JobScript};

use crate::bench::bench;
use crate::client::{header, raw};

const ARCHIVE: &str = "a,b\r\n1,2\r\n3,4\r\n";

/// The body, on which a plain request and one for a range must agree, and its content type.
async fn served(script: JobScript) -> (Bytes, String) {
    let b = bench(script).await;
    let whole = b.download(&[]).await;
    assert_eq!(whole.status(), 200);
    let kind = header(whole.headers(), "content-type").to_owned();
    let etag = header(whole.headers(), "etag").to_owned();
    let length = whole.content_length().unwrap();
    let body = whole.bytes().await.unwrap();
    assert_eq!((body.len() as u64, &body), (length, &b.whole));
    let part = b
        .download(&[("Range", "bytes=1-"), ("If-Match", &etag)])
        .await;
    assert_eq!(part.bytes().await.unwrap(), body[1..]);
    (body, kind)
}

#[tokio::test]
async fn what_is_no_archive_is_called_one() {
    for (fault, begins) in [
        (ContentFault::Xml("SlowDown".to_owned()), &b"<?xml "[..]),
        (ContentFault::Json, b"{\"errorCode\":"),
        (ContentFault::Html, b"<!DOCTYPE html>"),
        (ContentFault::Gzip, b"\x1f\x8b"),
        (ContentFault::Utf16Le, b"\xff\xfea\0"),
        (ContentFault::Utf16Be, b"\xfe\xff\0a"),
    ] {
        let script = JobScript::new().content(ARCHIVE);
        let (body, kind) = served(script.content_fault(fault.clone())).await;
        assert!(body.starts_with(begins), "{fault:?}: {body:?}");
        assert_eq!(kind, "text/csv");
    }
}

#[tokio::test]
async fn an_archive_can_end_in_what_does_not_belong_to_it() {
    for (fault, end) in [
        (
            ContentFault::Appended("{\"error\":1}\n".into()),
            "{\"error\":1}\n",
        ),
        (ContentFault::Nuls(2), "\0\0"),
    ] {
        let script = JobScript::new().content(ARCHIVE).content_fault(fault);
        let (body, _) = served(script).await;
        assert_eq!(body, [ARCHIVE, end].concat());
    }
}

#[tokio::test]
async fn an_archive_can_lack_a_field_or_all_records() {
    let script = JobScript::new().content(ARCHIVE);
    let ragged = served(script.clone().content_fault(ContentFault::Ragged)).await;
    assert_eq!(ragged.0, "a,b\r\n1,2\r\n3\r\n");
    let empty = served(script.content_fault(ContentFault::HeaderOnly)).await;
    assert_eq!(empty.0, "a,b\r\n");
    let generated = JobScript::new().content_fault(ContentFault::HeaderOnly);
    assert!(served(generated).await.0.starts_with(b"State,Start Time"));
}

#[tokio::test]
async fn an_error_can_be_called_what_it_is() {
    let script = JobScript::new().content_fault(ContentFault::Json);
    let (_, kind) = served(script.asset_header("Content-Type", "application/json")).await;
    assert_eq!(kind, "application/json");
}

#[tokio::test]
async fn an_encoding_that_changes_nothing_is_only_said() {
    for coding in ["identity", "", "aws-chunked", "identity, utf-8"] {
        let script = JobScript::new().content(ARCHIVE);
        let b = bench(script.asset_header("Content-Encoding", coding)).await;
        let reply = b.download(&[]).await;
        let said = reply.headers().get("content-encoding").unwrap();
        assert_eq!(said, coding);
        assert_eq!(reply.bytes().await.unwrap(), ARCHIVE);
    }
}

/// Uses a raw connection: hyper's client would not return such a reply.
#[tokio::test]
async fn a_transfer_encoding_stands_beside_the_length() {
    let script = JobScript::new().content(ARCHIVE);
    let b = bench(script.asset_header("Transfer-Encoding", "identity")).await;
    for _ in 0..2 {
        let (reply, ended) = raw(&b.fresh().await, "Connection: close\r\n").await;
        ended.unwrap();
        assert!(
            reply.contains("\r\ntransfer-encoding: identity\r\n"),
            "{reply}"
        );
        let length = format!("\r\ncontent-length: {}\r\n", ARCHIVE.len());
        assert!(reply.contains(&length), "{reply}");
        assert!(reply.ends_with(&format!("\r\n\r\n{ARCHIVE}")), "{reply}");
        assert!(!reply.contains("transfer_encoding"), "{reply}");
    }
}
