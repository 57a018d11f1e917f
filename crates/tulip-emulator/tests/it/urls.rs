//! Signed URLs that stop working before or during a download.

use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::bench::{Bench, bench};

impl Bench {
    /// The status of a download from `offset` on, and the bytes that arrived before it ended.
    async fn get(&self, url: &str, offset: usize) -> (u16, Bytes) {
        let request = self.api.http.get(url);
        let request = request.header("Range", format!("bytes={offset}-"));
        let mut reply = request.send().await.unwrap();
        let mut got = Vec::new();
        while let Ok(Some(chunk)) = reply.chunk().await {
            got.extend_from_slice(&chunk);
        }
        (reply.status().as_u16(), got.into())
    }

    /// The status with which a whole download is refused, and its error code, or the text if it has
    /// none.
    async fn refused(&self, url: &str) -> (u16, String) {
        let reply = self.api.http.get(url).send().await.unwrap();
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        let code = text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once('<'));
        (
            status,
            code.map_or(text.clone(), |(code, _)| code.to_owned()),
        )
    }
}

fn denied() -> (u16, String) {
    (403, "AccessDenied".to_owned())
}

#[tokio::test]
async fn a_url_with_so_many_bytes_is_cut_then_refused_then_renewed() {
    let b = bench(JobScript::new().url_bytes(30_000)).await;
    let mut got = Vec::new();
    while got.len() < b.whole.len() {
        let url = b.fresh().await;
        let (status, part) = b.get(&url, got.len()).await;
        assert_eq!(status, 206);
        assert_eq!(part.len(), 30_000.min(b.whole.len() - got.len()));
        got.extend_from_slice(&part);
        if part.len() == 30_000 {
            assert_eq!(b.refused(&url).await, denied());
        }
    }
    assert_eq!(got, b.whole);
}

#[tokio::test]
async fn the_bytes_of_a_url_are_those_of_all_its_requests() {
    let b = bench(JobScript::new().content("0123456789").url_bytes(5)).await;
    let url = b.fresh().await;
    assert_eq!(b.get(&url, 7).await, (206, "789".into()));
    assert_eq!(b.get(&url, 0).await, (206, "01".into()));
    assert_eq!(b.refused(&url).await, denied());
}

#[tokio::test]
async fn a_url_can_expire_in_one_of_its_requests() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let url = b.fresh().await;
    b.emulator
        .fail_next(Endpoint::Asset, 1, Fault::Expire { after: 4 });
    assert_eq!(b.get(&url, 0).await, (206, "0123".into()));
    assert_eq!(b.refused(&url).await, denied());
    let fresh = b.fresh().await;
    assert_eq!(b.get(&fresh, 4).await, (206, "456789".into()));
}

#[tokio::test]
async fn a_url_can_be_revoked_before_its_first_request() {
    let b = bench(JobScript::new().revoked_urls(2)).await;
    for _ in 0..2 {
        assert_eq!(b.refused(&b.fresh().await).await, denied());
    }
    assert_eq!(b.get(&b.fresh().await, 0).await, (206, b.whole.clone()));
}

#[tokio::test]
async fn a_host_can_refuse_in_other_words() {
    for (status, code) in [
        (400, "ExpiredToken"),
        (401, "AuthenticationRequired"),
        (410, "AccessDenied"),
    ] {
        let script = JobScript::new().url_refusal(Reply::expired(status));
        let expected = (status, code.to_owned());
        let b = bench(script.clone().revoked_urls(1)).await;
        assert_eq!(b.refused(&b.fresh().await).await, expected);
        let b = bench(script.url_lifetime(Duration::ZERO)).await;
        assert_eq!(b.refused(&b.fresh().await).await, expected);
    }
    let page = Reply::html(403, "Sorry");
    let b = bench(JobScript::new().url_refusal(page).url_requests(0)).await;
    assert_eq!(b.refused(&b.fresh().await).await, (403, "Sorry".to_owned()));
}

#[tokio::test]
async fn a_url_can_be_for_a_host_that_no_resolver_knows() {
    let b = bench(JobScript::new().unresolvable()).await;
    let url = b.fresh().await;
    assert!(url.starts_with("http://assets.invalid/factory/"), "{url}");
    assert!(url.contains("X-Amz-Signature="), "{url}");
}

#[tokio::test]
async fn a_url_can_be_for_tls_where_there_is_none() {
    let b = bench(JobScript::new().url_https()).await;
    let url = b.fresh().await;
    let plain = url.replace("https://", "http://");
    assert!(
        plain.starts_with(&b.emulator.asset_origin().to_string()),
        "{url}"
    );
    let error = b.api.http.get(url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(b.get(&plain, 0).await, (206, b.whole.clone()));
}

#[tokio::test]
async fn a_url_can_be_for_a_port_that_is_closed_or_another_name() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let b = bench(JobScript::new().url_host(&closed)).await;
    let url = b.fresh().await;
    assert!(url.starts_with(&format!("http://{closed}/")), "{url}");
    assert!(b.api.http.get(url).send().await.unwrap_err().is_connect());
    let alias = b.emulator.asset_origin().to_string();
    let alias = alias.replace("http://127.0.0.1", "localhost");
    let machine = b.emulator.machine_ids()[0].clone();
    let script = JobScript::new().machine(machine).url_host(alias);
    let job = b.emulator.add_job(script).unwrap();
    let url = b.api.resource(&job).await;
    assert_eq!(b.get(&url, 0).await, (206, b.whole.clone()));
}
