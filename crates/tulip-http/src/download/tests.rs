//! Odd hosts, in memory and on paused time.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::response::Builder;
use http_body::{Body, Frame};
use reqwest::Body as ReqwestBody;
use tokio::time::{Instant, Sleep, sleep};

use super::block::BLOCK;
use super::request::RangeRequest;
use super::testing::{ScriptedHost, archive};
use crate::error::ErrorKind;

const CSV: &str = "State\nDown\n";

fn response(status: u16) -> Builder {
    http::Response::builder().status(status)
}

fn body(head: Builder, body: impl Into<ReqwestBody>) -> http::Response<ReqwestBody> {
    head.body(body.into()).unwrap()
}

/// Answers `request` from an archive of `length` bytes with `etag`.
fn part(request: &RangeRequest, length: u64, etag: &str) -> http::Response<ReqwestBody> {
    let end = request.end_within(length);
    let bytes = archive(request.start..end);
    if request.range().is_none() {
        return body(response(200).header("etag", etag), bytes);
    }
    let range = format!("bytes {}-{}/{length}", request.start, end - 1);
    let head = response(206).header("etag", etag);
    body(head.header("content-range", range), bytes)
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_its_own_tag_is_asked_for_the_whole_without_it() {
    let length = 9 * BLOCK;
    let host = move |_, request: &RangeRequest| match &request.etag {
        Some(_) => body(response(412), ""),
        None => part(request, length, "\"tag\""),
    };
    let (bytes, asked, failed) = ScriptedHost::download(host).await;
    assert!(failed.is_none(), "{failed:?}");
    assert!(bytes == archive(0..length));
    assert_eq!(asked.len(), 5);
    assert_eq!(asked.last(), Some(&RangeRequest::WHOLE));
}

#[tokio::test(start_paused = true)]
async fn replicas_with_a_tag_each_are_asked_for_the_whole_by_one_request() {
    // Above 32 MiB several connections fetch it.
    for length in [9 * BLOCK, 40 * BLOCK] {
        let count = AtomicU32::new(0);
        let host = move |_, request: &RangeRequest| {
            let replica = count.fetch_add(1, Ordering::Relaxed);
            part(request, length, &format!("\"replica-{replica}\""))
        };
        let (bytes, asked, failed) = ScriptedHost::download(host).await;
        assert!(failed.is_none(), "{failed:?}");
        assert!(bytes == archive(0..length));
        assert!(asked.contains(&RangeRequest::WHOLE));
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_not_there_yet_is_waited_for() {
    let started = Instant::now();
    let host = move |_, _: &RangeRequest| match started.elapsed() < Duration::from_secs(1) {
        true => body(response(404), "<Error><Code>NoSuchKey</Code></Error>"),
        false => body(response(200), CSV),
    };
    // The waits are random, but all five together nearly always take over a second.
    let (bytes, _, failed) = ScriptedHost::download(host).await;
    if let Some(error) = failed {
        assert_eq!(error.attempts(), 6, "{error}");
    } else {
        assert_eq!(bytes, CSV.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_never_comes_is_given_up_and_can_be_tried_again() {
    for status in [404, 410] {
        let host = move |_, _: &RangeRequest| body(response(status), "");
        let (_, asked, failed) = ScriptedHost::download(host).await;
        let error = failed.unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.is_retryable() && !error.is_not_found(), "{error}");
        assert_eq!(error.advice(), Some(crate::Advice::TryLater));
        assert!((4..=8).contains(&asked.len()), "{}", asked.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_request_that_is_answered_by_a_range_of_everything_is_taken() {
    let host = |_, request: &RangeRequest| match request.range() {
        Some(_) => body(response(405), ""),
        None => body(response(206).header("content-range", "bytes 0-10/11"), CSV),
    };
    let (bytes, _, failed) = ScriptedHost::download(host).await;
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(bytes, CSV.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_stores_error_that_comes_as_a_success_is_retried_like_its_status() {
    for error in [
        "<Error><Code>SlowDown</Code></Error>",
        "<html><title>503 Service Temporarily Unavailable</title></html>",
        "{\"errorCode\":\"Internal\"}\n",
    ] {
        let host = move |number, _: &RangeRequest| match number {
            1 | 2 => body(response(200), error),
            _ => body(response(200), CSV),
        };
        let (bytes, asked, failed) = ScriptedHost::download(host).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!((bytes.as_slice(), asked.len()), (CSV.as_bytes(), 3));
        let (_, _, failed) = ScriptedHost::download(move |_, _| body(response(200), error)).await;
        let failed = failed.unwrap();
        assert_eq!(failed.kind(), ErrorKind::NotAnArchive);
        assert!(failed.is_retryable(), "{failed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_archive_is_refused_before_its_first_byte_is_handed_out() {
    let page = "<!DOCTYPE html>\n<html><title>Sign in</title></html>\n";
    for (kind, content, says) in [
        ("text/csv", page, "an HTML page titled \"Sign in\""),
        ("text/html", page, "an HTML page titled \"Sign in\""),
        ("application/json", "{\"a\":1}\n", "JSON"),
        (
            "text/csv",
            "<Error><Code>NoSuchKey</Code></Error>",
            "an XML error, code NoSuchKey",
        ),
        ("application/pdf", CSV, "its type is application/pdf"),
        ("text/plain", "%PDF-1.7\n", "PDF"),
        ("", "[1,2]\n[3,4]\n", "JSON"),
    ] {
        // Also as a range.
        for status in [200, 206] {
            let range = format!("bytes 0-{}/{}", content.len() - 1, content.len());
            let host = move |_, _: &RangeRequest| {
                let head = response(status).header("content-type", kind);
                let head = match status {
                    206 => head.header("content-range", range.clone()),
                    _ => head,
                };
                body(head, content)
            };
            let (bytes, asked, failed) = ScriptedHost::download(host).await;
            let error = failed.unwrap();
            assert_eq!(error.kind(), ErrorKind::NotAnArchive, "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.is_retryable() && bytes.is_empty(), "{error}");
            assert_eq!(asked.len(), 2, "one for a range and one without");
        }
    }
}

/// One byte every ten seconds, forever.
struct Trickle(Pin<Box<Sleep>>);

impl Trickle {
    fn new() -> Self {
        Self(Box::pin(sleep(Duration::ZERO)))
    }
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        std::task::ready!(self.0.as_mut().poll(cx));
        let next = Instant::now() + Duration::from_secs(10);
        self.0.as_mut().reset(next);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_that_trickles_for_ever_is_ended() {
    let host = |_, _: &RangeRequest| {
        let head = response(200).header("transfer-encoding", "chunked");
        body(head, ReqwestBody::wrap(Trickle::new()))
    };
    let started = Instant::now();
    let (_, asked, failed) = ScriptedHost::download(host).await;
    let error = failed.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("bytes came in"), "{error}");
    assert_eq!(asked.len(), 1, "another request would be no faster");
    let took = started.elapsed().as_secs();
    // The first bytes are inspected before the watch begins.
    assert!((300..2000).contains(&took), "{took}");
}
