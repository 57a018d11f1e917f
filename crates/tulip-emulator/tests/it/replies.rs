//! Scripted replies of every endpoint.

use std::time::{Duration, SystemTime};

use reqwest::{Client, Method, Response, StatusCode};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::bench::{Bench, bench};
use crate::client::{header, http};

const ALL: [Endpoint; 4] = [
    Endpoint::Machines,
    Endpoint::Start,
    Endpoint::Status,
    Endpoint::Asset,
];

impl Bench {
    /// The reply of `endpoint`, whose next request meets `fault`.
    async fn reply(&self, endpoint: Endpoint, fault: impl Into<Fault>) -> Response {
        self.emulator.fail_next(endpoint, 1, fault);
        let machine = &self.emulator.machine_ids()[0];
        let request = match endpoint {
            Endpoint::Machines => self.api.bare(Method::GET, "/api/v3/machines"),
            Endpoint::Start => {
                let path = format!("/api/v3/machines/archive/{machine}");
                self.api.bare(Method::POST, &path)
            }
            Endpoint::Status => {
                let path = format!("/api/v3/machines/archive/csv/{}", self.job);
                self.api.bare(Method::GET, &path)
            }
            _ => self.api.http.get(self.fresh().await),
        };
        request.send().await.unwrap()
    }
}

#[tokio::test]
async fn every_call_can_answer_with_a_page() {
    let b = bench(JobScript::new()).await;
    for endpoint in ALL {
        let reply = b
            .reply(endpoint, Reply::html(200, "<h1>Sign in</h1>"))
            .await;
        let kind = header(reply.headers(), "content-type").to_owned();
        assert_eq!(
            (reply.status().as_u16(), &*kind),
            (200, "text/html; charset=utf-8")
        );
        assert_eq!(
            reply.text().await.unwrap(),
            "<h1>Sign in</h1>",
            "{endpoint:?}"
        );
    }
    assert_eq!(b.emulator.jobs().len(), 1, "the start was not served");
}

#[tokio::test]
async fn a_busy_reply_says_when_to_come_back() {
    let b = bench(JobScript::new()).await;
    for status in [429, 503] {
        let wait = Duration::from_millis(1500);
        let reply = b
            .reply(Endpoint::Start, Reply::busy(status).retry_after(wait))
            .await;
        assert_eq!(reply.status(), status);
        assert_eq!(header(reply.headers(), "retry-after"), "2");
        let body: serde_json::Value = reply.json().await.unwrap();
        assert!(body["errorUniqueID"].is_string(), "{body}");
    }
    let none = b.reply(Endpoint::Start, Reply::busy(429)).await;
    assert_eq!(none.headers().get("retry-after"), None);
    let slow = b
        .reply(
            Endpoint::Asset,
            Reply::slow_down().retry_after(Duration::ZERO),
        )
        .await;
    assert_eq!(header(slow.headers(), "retry-after"), "0");
    assert_eq!(slow.status(), 503);
    assert!(slow.text().await.unwrap().contains("<Code>SlowDown</Code>"));
}

#[tokio::test]
async fn a_date_to_come_back_counts_from_when_the_reply_is_sent() {
    let b = bench(JobScript::new()).await;
    let busy = Reply::busy(503).retry_after_date(Duration::from_secs(90));
    let before = SystemTime::now();
    for endpoint in [Endpoint::Status, Endpoint::Asset] {
        let reply = b.reply(endpoint, busy.clone()).await;
        let text = header(reply.headers(), "retry-after").to_owned();
        let date = httpdate::parse_http_date(&text).unwrap();
        assert!(date >= before + Duration::from_secs(90), "{text}");
        assert!(
            date <= SystemTime::now() + Duration::from_secs(91),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_redirect_leads_elsewhere() {
    let b = bench(JobScript::new()).await;
    let there = b.emulator.asset_origin().to_string() + "/elsewhere";
    for endpoint in ALL {
        let reply = b.reply(endpoint, Reply::redirect(302, &there)).await;
        assert_eq!(reply.url().as_str(), there);
        assert_eq!(reply.status(), 403, "not signed");
    }
}

#[tokio::test]
async fn a_redirect_can_lead_in_a_circle() {
    let b = bench(JobScript::new()).await;
    b.emulator
        .fail_next(Endpoint::Asset, 3, Fault::RedirectLoop);
    let url = b.fresh().await;
    let reply = b.api.http.get(&url).send().await.unwrap();
    assert_eq!(
        (reply.status(), reply.url().as_str()),
        (StatusCode::OK, &*url)
    );
    assert_eq!(b.emulator.requests().count(Endpoint::Asset), 4);
    b.emulator
        .fail_next(Endpoint::Asset, 100, Fault::RedirectLoop);
    let error = b.api.http.get(&url).send().await.unwrap_err();
    assert!(error.is_redirect(), "{error}");
    let patient = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    b.emulator.clear_faults();
    b.emulator
        .fail_next(Endpoint::Machines, 1, Fault::RedirectLoop);
    let url = format!("{}/api/v3/machines?a=b", b.emulator.base_url());
    let reply = patient.build().unwrap().get(url).send().await.unwrap();
    assert_eq!(reply.status(), 307);
    assert_eq!(header(reply.headers(), "location"), "/api/v3/machines?a=b");
}

#[tokio::test]
async fn a_head_can_be_larger_than_anybody_reads() {
    let b = bench(JobScript::new()).await;
    let huge = Reply::new(200).header("X-Padding", "x".repeat(3_000_000));
    b.emulator.fail_next(Endpoint::Asset, 1, huge);
    assert!(http().get(b.fresh().await).send().await.is_err());
}

#[tokio::test]
async fn a_reply_can_announce_another_length_than_it_has() {
    let b = bench(JobScript::new()).await;
    let reply = Reply::new(200).header("Content-Length", "9").body("{}");
    let reply = b.reply(Endpoint::Machines, reply).await;
    assert_eq!(reply.content_length(), Some(9));
    assert!(reply.bytes().await.is_err());
}
