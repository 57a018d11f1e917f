//! Odd hosts, and replies that are slightly wrong.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::bench::bench;
use crate::client::header;

#[tokio::test]
async fn requests_for_ranges_meet_a_fault_and_others_do_not() {
    let page = Reply::html(405, "<title>Blocked</title>");
    let script = JobScript::new().asset_faults([Fault::None]);
    let b = bench(script.asset_ranged(page)).await;
    let range = [("Range", "bytes=0-4")];
    // A queued fault comes first.
    assert_eq!(b.download(&range).await.status(), 206);
    assert_eq!(b.download(&range).await.status(), 405);
    let whole = b.download(&[]).await.bytes().await.unwrap();
    assert_eq!(whole, b.whole);
    assert_eq!(b.download(&range).await.status(), 405);
    let broken = bench(JobScript::new().asset_ranged(Fault::Hangup)).await;
    let request = broken.api.http.get(broken.fresh().await);
    assert!(request.header("Range", "bytes=0-4").send().await.is_err());
    assert_eq!(broken.download(&[]).await.status(), 200);
}

#[tokio::test]
async fn a_host_can_refuse_its_own_tag() {
    let b = bench(JobScript::new().refusing_if_match()).await;
    let first = b.download(&[]).await;
    let etag = header(first.headers(), "etag").to_owned();
    assert!(etag.starts_with('"'));
    let again = b.download(&[("If-Match", &etag)]).await;
    assert_eq!(again.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(b.download(&[]).await.status(), 200);
}

#[tokio::test]
async fn replicas_have_the_same_bytes_and_a_tag_each() {
    for (script, status) in [
        (JobScript::new(), 412),
        (JobScript::new().without_if_match(), 206),
    ] {
        let b = bench(script.etag_per_request()).await;
        let tag = async || header(b.download(&[]).await.headers(), "etag").to_owned();
        let (one, other) = (tag().await, tag().await);
        assert_ne!(one, other);
        let headers = [("If-Match", one.as_str()), ("Range", "bytes=1-")];
        let reply = b.download(&headers).await;
        assert_eq!(reply.status(), status);
        if status == 206 {
            assert_eq!(reply.bytes().await.unwrap(), b.whole[1..]);
        }
    }
}

#[tokio::test]
async fn a_fresh_url_finds_nothing_at_first() {
    let b = bench(JobScript::new().url_not_found(2)).await;
    for _ in 0..2 {
        let url = b.fresh().await;
        let get = async || b.api.http.get(&url).send().await.unwrap();
        for _ in 0..2 {
            let reply = get().await;
            assert_eq!(reply.status(), 404);
            assert!(
                reply
                    .text()
                    .await
                    .unwrap()
                    .contains("<Code>NoSuchKey</Code>")
            );
        }
        assert_eq!(get().await.bytes().await.unwrap(), b.whole);
    }
}

#[tokio::test]
async fn a_byte_order_mark_can_come_before_any_body() {
    let b = bench(JobScript::new()).await;
    let mark = Fault::Before("\u{feff}".into());
    b.emulator.fail_next(Endpoint::Status, 1, mark.clone());
    let path = format!("/api/v3/machines/archive/csv/{}", b.job);
    let authorization = b.emulator.credentials().basic_header();
    let request = b.api.bare(Method::GET, &path);
    let request = request.header("Authorization", &*authorization);
    let body = request.send().await.unwrap().bytes().await.unwrap();
    assert!(body.starts_with(b"\xef\xbb\xbf{\"id\":"), "{body:?}");
    b.emulator.fail_next(Endpoint::Asset, 1, mark);
    let body = b.download(&[]).await.bytes().await.unwrap();
    assert_eq!(body.strip_prefix(b"\xef\xbb\xbf"), Some(&b.whole[..]));
}

#[tokio::test]
async fn a_start_is_answered_by_any_text() {
    let b = bench(JobScript::new()).await;
    let text = r#"{"id":{id},"status":200}"#;
    let script = JobScript::new().numeric_id().start_reply(text);
    b.emulator.script_next(script);
    let path = format!("/api/v3/machines/archive/{}", b.emulator.machine_ids()[0]);
    let (status, reply) = b.api.call(Method::POST, &path).await;
    assert_eq!((status.as_u16(), &reply["status"]), (200, &200.into()));
    let id = reply["id"].as_u64().unwrap().to_string();
    let job = b.emulator.jobs().pop().unwrap().id;
    assert_eq!(job.as_str(), id);
    assert_eq!(b.api.status(&job).await["id"], id);
}

#[tokio::test]
async fn a_status_can_be_of_another_job() {
    let b = bench(JobScript::new().status_id("somebodyelse")).await;
    let reply = b.api.status(&b.job).await;
    assert_eq!(reply["id"], "somebodyelse");
    assert!(reply["resource"].is_string());
}

#[tokio::test]
async fn a_trickle_is_never_silent_and_never_done() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let trickle = Fault::Trickle {
        piece: 3,
        pause: Duration::from_millis(1),
    };
    b.emulator.fail_next(Endpoint::Asset, 1, trickle);
    let mut reply = b.download(&[]).await;
    assert_eq!(reply.content_length(), None);
    let mut got = Vec::new();
    while got.len() < 40 {
        let piece = reply.chunk().await.unwrap().unwrap();
        got.extend_from_slice(&piece);
    }
    assert!(got.starts_with(b"0123456789      "), "{got:?}");
}
