//! Bodies and connections that break, crawl or do not end.

use std::io::ErrorKind;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;
use tulip_emulator::{Endpoint, Fault, JobScript};

use crate::bench::{Bench, bench};
use crate::client::{header, http, raw};

impl Bench {
    /// Queues this fault for the next download and returns a URL for it.
    async fn url_that_meets(&self, fault: Fault) -> String {
        self.emulator.fail_next(Endpoint::Asset, 1, fault);
        self.fresh().await
    }
}

/// The body of a raw reply.
fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_reset_breaks_the_connection_after_its_bytes() {
    let b = bench(JobScript::new().content("0123456789")).await;
    for after in [0, 4] {
        let url = b.url_that_meets(Fault::Reset { after }).await;
        let (reply, ended) = raw(&url, "").await;
        assert!(reply.contains("content-length: 10\r\n"), "{reply}");
        assert_eq!(body(&reply).len() as u64, after);
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    let url = b.url_that_meets(Fault::Cut { after: 4 }).await;
    let (reply, ended) = raw(&url, "").await;
    assert_eq!((body(&reply), ended.is_ok()), ("0123", true), "in order");
}

#[tokio::test]
async fn the_api_can_reset_too() {
    let b = bench(JobScript::new()).await;
    let fault = Fault::Reset { after: 5 };
    b.emulator.fail_next(Endpoint::Machines, 1, fault);
    let (reply, ended) = raw(&format!("{}/api/v3/machines", b.emulator.base_url()), "").await;
    assert_eq!(body(&reply).len(), 5);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reply_can_be_lost_whole_though_the_job_has_started() {
    let b = bench(JobScript::new()).await;
    let path = format!("/api/v3/machines/archive/{}", b.emulator.machine_ids()[0]);
    let authorization = b.emulator.credentials().basic_header();
    for (fault, jobs) in [(Fault::Hangup, 1), (Fault::LostReply, 2)] {
        b.emulator.fail_next(Endpoint::Start, 1, fault);
        let request = b.api.bare(Method::POST, &path);
        let request = request.header("Authorization", &*authorization);
        assert!(request.send().await.is_err());
        assert_eq!(b.emulator.jobs().len(), jobs);
    }
    assert_eq!(b.emulator.requests().api[1].status, None);
    let url = b.url_that_meets(Fault::LostReply).await;
    assert!(http().get(&url).send().await.is_err());
    assert_eq!(b.emulator.requests().asset[0].status, None);
}

#[tokio::test]
async fn a_drip_is_slow_but_complete() {
    let b = bench(JobScript::new()).await;
    let pause = Duration::from_millis(20);
    let drip = |after| Fault::Drip {
        after,
        piece: 40,
        pause,
    };
    let length = b.whole.len() as u64;
    let url = b.url_that_meets(drip(length - 100)).await;
    let start = Instant::now();
    let reply = http().get(url).send().await.unwrap();
    assert_eq!(reply.content_length(), Some(length));
    assert_eq!(reply.bytes().await.unwrap(), b.whole);
    assert!(start.elapsed() >= 3 * pause);
    b.emulator.fail_next(Endpoint::Machines, 1, drip(0));
    let start = Instant::now();
    assert_eq!(b.api.get("/api/v3/machines").await.0, 200);
    assert!(start.elapsed() >= pause);
}

#[tokio::test]
async fn an_endless_body_announces_no_length_and_goes_on() {
    let b = bench(JobScript::new()).await;
    let url = b.url_that_meets(Fault::Endless).await;
    let mut reply = http().get(url).send().await.unwrap();
    assert_eq!(header(reply.headers(), "transfer-encoding"), "chunked");
    let mut got = Vec::new();
    while got.len() < 3_000_000 {
        got.extend_from_slice(&reply.chunk().await.unwrap().unwrap());
    }
    let (archive, blanks) = got.split_at(b.whole.len());
    assert_eq!(archive, b.whole);
    assert!(blanks.iter().all(|byte| *byte == b' '));
    drop(reply);

    b.emulator.fail_next(Endpoint::Status, 1, Fault::Endless);
    let path = format!("/api/v3/machines/archive/csv/{}", b.job);
    let authorization = b.emulator.credentials().basic_header();
    let request = b.api.bare(Method::GET, &path);
    let request = request.header("Authorization", &*authorization);
    let mut reply = request.send().await.unwrap();
    let mut got = 0;
    while got < 1_000_000 {
        got += reply.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn more_bytes_than_announced_can_follow_a_reply() {
    let close = "Connection: close\r\n";
    for (script, headers, expected) in [
        (JobScript::new().content("01234"), close, "01234MORE"),
        (JobScript::new().content(""), close, "MORE"),
        (
            JobScript::new().content("0123456").declared_length(5),
            close,
            "01234MORE",
        ),
        (
            JobScript::new().content("01234").chunked(),
            close,
            "5\r\n01234\r\n0\r\n\r\nMORE",
        ),
        (
            JobScript::new().content("01234"),
            "Connection: close\r\nRange: bytes=2-3\r\n",
            "23MORE",
        ),
    ] {
        let b = bench(script.clone()).await;
        let url = b.url_that_meets(Fault::Surplus("MORE".into())).await;
        let (reply, ended) = raw(&url, headers).await;
        ended.unwrap();
        assert_eq!(body(&reply), expected, "{script:?}");
        let announced = format!("content-length: {}\r\n", expected.len() - 4);
        let is_chunked = reply.contains("transfer-encoding: chunked\r\n");
        assert!(is_chunked || reply.contains(&announced), "{reply}");
    }
    let b = bench(JobScript::new().content("01234")).await;
    let url = b.url_that_meets(Fault::Surplus("MORE".into())).await;
    assert_eq!(
        http().get(url).send().await.unwrap().text().await.unwrap(),
        "01234"
    );
    b.emulator
        .fail_next(Endpoint::Machines, 1, Fault::Surplus("MORE".into()));
    let base = b.emulator.base_url();
    let (reply, _) = raw(&format!("{base}/api/v3/machines"), close).await;
    assert!(reply.ends_with("MORE"), "{reply}");
}
