//! Lists that do not end, or that contain odd keys.

use tulip_core::Timestamp;
use tulip_core::sink::{Listed, Sink, SinkError, StaleUpload};
use tulip_test_s3::{Refusal, S3Server};

use super::{full, sink};
use crate::support::key;

async fn listed(sink: &dyn Sink) -> Result<usize, SinkError> {
    let mut keys = sink.list().await?;
    let mut count = 0;
    while keys.next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

const REPEATS: Refusal = (
    200,
    "<ListBucketResult><IsTruncated>true</IsTruncated>\
     <NextContinuationToken>again</NextContinuationToken>\
     <Contents><Key>tulip/a.csv</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
     <Size>1</Size></Contents></ListBucketResult>",
);

const NO_TOKEN: Refusal = (
    200,
    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
);

#[tokio::test]
async fn a_list_of_objects_without_an_end_is_an_error() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.put("tulip/a.csv", b"a");
    assert_eq!(listed(&*sink).await.unwrap(), 1);
    for (answer, words) in [
        (REPEATS, "repeats a continuation token"),
        (NO_TOKEN, "no continuation token"),
    ] {
        server.refuse(move |seen| seen.target.contains("list-type=2").then_some(answer));
        let error = listed(&*sink).await.unwrap_err();
        assert!(
            error.to_string().contains("does not end"),
            "{}",
            full(&error)
        );
        assert!(full(&error).contains(words), "{}", full(&error));
        assert!(!error.is_retryable());
    }
}

/// Page two leads back to page one, with another token than its own.
#[tokio::test]
async fn a_list_that_goes_in_circles_is_an_error() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.refuse(|seen| {
        let list = "<ListBucketResult><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>one</NextContinuationToken></ListBucketResult>";
        let back = "<ListBucketResult><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>two</NextContinuationToken></ListBucketResult>";
        let body = if seen.target.contains("token=one") {
            back
        } else {
            list
        };
        seen.target.contains("list-type=2").then_some((200, body))
    });
    let error = listed(&*sink).await.unwrap_err();
    assert!(
        full(&error).contains("repeats a continuation token"),
        "{}",
        full(&error)
    );
}

#[tokio::test]
async fn a_list_of_uploads_without_an_end_is_an_error() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let repeats = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
        <NextKeyMarker>a</NextKeyMarker></ListMultipartUploadsResult>";
    let no_token = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
        </ListMultipartUploadsResult>";
    for page in [repeats, no_token] {
        server.refuse(move |seen| seen.target.contains("?uploads").then_some((200, page)));
        let left = StaleUpload::new(Timestamp::now());
        let error = sink.discard(&key("a.csv"), &left).await.unwrap_err();
        assert!(
            error.to_string().contains("does not end"),
            "{}",
            full(&error)
        );
        let error = sink.sweep(Timestamp::now()).await.unwrap_err();
        assert!(
            error.to_string().contains("does not end"),
            "{}",
            full(&error)
        );
    }
}

#[tokio::test]
async fn a_key_with_an_empty_segment_is_named_and_the_others_are_listed() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.refuse(|seen| {
        let list = "<ListBucketResult><IsTruncated>false</IsTruncated>\
            <Contents><Key>tulip/a//b.csv</Key>\
            <LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>\
            <Contents><Key>tulip/c.csv</Key>\
            <LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>\
            </ListBucketResult>";
        seen.target.contains("list-type=2").then_some((200, list))
    });
    let mut keys = sink.list().await.unwrap();
    let first = keys.next().await.unwrap();
    let Some(Listed::Skipped {
        location, reason, ..
    }) = first
    else {
        panic!("{first:?}");
    };
    assert_eq!(location, "s3://lake/tulip/a//b.csv");
    assert!(reason.to_string().contains("a//b.csv"), "{reason}");
    let second = keys.next().await.unwrap();
    assert!(
        matches!(&second, Some(Listed::Key(found)) if *found == key("c.csv")),
        "{second:?}"
    );
    assert!(keys.next().await.unwrap().is_none());
}
