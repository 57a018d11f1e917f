use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use reqwest::Response;
use tulip_core::JobId;
use tulip_emulator::{Emulator, Endpoint, JobScript};

use crate::client::{Api, header, http};

struct Download {
    emulator: Emulator,
    api: Api,
    job: JobId,
    url: String,
    whole: Bytes,
}

async fn download(script: JobScript) -> Download {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let job = emulator.add_job(script).unwrap();
    Download {
        url: api.resource(&job).await,
        whole: emulator.content(&job).unwrap().to_bytes(),
        emulator,
        api,
        job,
    }
}

impl Download {
    async fn get(&self, headers: &[(&str, &str)]) -> Response {
        let mut request = self.api.http.get(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

async fn refused(response: Response, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(
        header(response.headers(), "content-type"),
        "application/xml"
    );
    let body = response.text().await.unwrap();
    assert!(
        body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"),
        "{body}"
    );
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
}

#[tokio::test]
async fn the_whole_archive_comes_with_what_an_object_store_sends() {
    let d = download(JobScript::new()).await;
    let reply = d.get(&[]).await;
    assert_eq!(reply.status(), 200);
    let headers = reply.headers().clone();
    let header = |name| header(&headers, name);
    assert_eq!(header("content-length"), d.whole.len().to_string());
    assert_eq!(header("content-type"), "text/csv");
    assert_eq!(header("accept-ranges"), "bytes");
    assert!(header("etag").starts_with('"') && header("etag").ends_with('"'));
    assert!(header("last-modified").ends_with(" GMT"));
    assert_eq!(reply.bytes().await.unwrap(), d.whole);
    let machine = &d.emulator.machine_ids()[0];
    assert_eq!(d.whole, d.emulator.archive(machine).unwrap().to_bytes());
}

#[tokio::test]
async fn each_status_call_signs_another_url_for_the_same_object() {
    let d = download(JobScript::new()).await;
    let another = d.api.resource(&d.job).await;
    assert_ne!(d.url, another);
    assert_eq!(d.url.split('?').next(), another.split('?').next());
    let etag = header(d.get(&[]).await.headers(), "etag").to_owned();
    let reply = d.api.http.get(&another).send().await.unwrap();
    assert_eq!(header(reply.headers(), "etag"), etag);
    assert_eq!(reply.bytes().await.unwrap(), d.whole);
}

#[tokio::test]
async fn a_second_job_of_a_machine_is_the_same_snapshot() {
    let d = download(JobScript::new()).await;
    let second = d.emulator.add_job(JobScript::new()).unwrap();
    let url = d.api.resource(&second).await;
    assert_eq!(
        d.api
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        d.whole
    );
}

#[tokio::test]
async fn a_url_is_for_get_alone() {
    let d = download(JobScript::new()).await;
    assert_eq!(d.api.http.head(&d.url).send().await.unwrap().status(), 403);
    let put = d.api.http.put(&d.url).body("x").send().await.unwrap();
    refused(put, 403, "SignatureDoesNotMatch").await;
}

#[tokio::test]
async fn an_altered_url_is_refused() {
    let d = download(JobScript::new()).await;
    let get = |url: String| async move { http().get(url).send().await.unwrap() };
    let (path, query) = d.url.split_once('?').unwrap();
    for (altered, code) in [
        (
            d.url.replace("Expires=900", "Expires=901"),
            "SignatureDoesNotMatch",
        ),
        (d.url.replace(".csv", "x.csv"), "SignatureDoesNotMatch"),
        (format!("{}&x-id=GetObject", d.url), "SignatureDoesNotMatch"),
        (format!("{}0", d.url), "SignatureDoesNotMatch"),
        (
            d.url.replace("SignedHeaders=host", "SignedHeaders=hosts"),
            "SignatureDoesNotMatch",
        ),
        (
            d.url.replace("X-Amz-Date=2", "X-Amz-Date=3"),
            "SignatureDoesNotMatch",
        ),
        (
            d.url.replace("127.0.0.1", "localhost"),
            "SignatureDoesNotMatch",
        ),
        (path.to_owned(), "AccessDenied"),
    ] {
        assert_ne!(altered, d.url);
        refused(get(altered).await, 403, code).await;
    }
    for unusable in [
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Signature",
        "X-Amz-Algorithm",
    ] {
        let url = format!("{path}?{}", query.replace(unusable, "X-Amz-Other"));
        refused(get(url).await, 400, "AuthorizationQueryParametersError").await;
    }
    let elsewhere = Emulator::builder().seed(99).start().await.unwrap();
    let origin = elsewhere.asset_origin().to_string();
    let moved = d
        .url
        .replace(&d.emulator.asset_origin().to_string(), &origin);
    refused(get(moved).await, 403, "SignatureDoesNotMatch").await;
    assert_eq!(d.get(&[]).await.status(), 200);
}

#[tokio::test]
async fn parameters_may_be_reordered_and_encoded_otherwise() {
    let d = download(JobScript::new()).await;
    let (path, query) = d.url.split_once('?').unwrap();
    let mut pairs: Vec<_> = query.split('&').collect();
    pairs.reverse();
    let url = format!("{path}?{}", pairs.join("&").replace("%2F", "/"));
    assert_eq!(d.api.http.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_expired_url_is_refused_and_a_fresh_one_can_work() {
    let d = download(JobScript::new().url_lifetime(Duration::ZERO)).await;
    refused(d.get(&[]).await, 403, "AccessDenied").await;
    assert!(
        d.get(&[])
            .await
            .text()
            .await
            .unwrap()
            .contains("Request has expired")
    );

    let d = download(JobScript::new()).await;
    d.emulator.expire_urls(&d.job);
    refused(d.get(&[]).await, 403, "AccessDenied").await;
    let fresh = d.api.resource(&d.job).await;
    assert_eq!(d.api.http.get(fresh).send().await.unwrap().status(), 200);

    let d = download(JobScript::new().url_requests(1)).await;
    assert_eq!(d.get(&[("Range", "bytes=0-9")]).await.status(), 206);
    refused(
        d.get(&[("Range", "bytes=10-19")]).await,
        403,
        "AccessDenied",
    )
    .await;
}

#[tokio::test]
async fn an_authorization_header_is_refused_and_recorded() {
    let d = download(JobScript::new()).await;
    let reply = d.get(&[("Authorization", "Basic eDp5")]).await;
    refused(reply, 400, "InvalidArgument").await;
    d.get(&[
        ("User-Agent", "probe/1"),
        ("Referer", "http://x/"),
        ("Accept-Encoding", "gzip"),
    ])
    .await;
    let requests = d.emulator.requests();
    assert_eq!(requests.count(Endpoint::Asset), 2);
    assert!(requests.asset[0].authorization && !requests.asset[1].authorization);
    let last = &requests.asset[1];
    assert_eq!(last.job.as_ref(), Some(&d.job));
    assert_eq!(last.user_agent.as_deref(), Some("probe/1"));
    assert_eq!(last.referer.as_deref(), Some("http://x/"));
    assert_eq!(last.accept_encoding.as_deref(), Some("gzip"));
    assert_eq!((last.status, last.range.as_deref()), (Some(200), None));
}

#[tokio::test]
async fn an_unsatisfiable_range_names_the_length() {
    let d = download(JobScript::new()).await;
    let length = d.whole.len();
    let reply = d.get(&[("Range", &format!("bytes={length}-"))]).await;
    assert_eq!(
        header(reply.headers(), "content-range"),
        format!("bytes */{length}")
    );
    refused(reply, 416, "InvalidRange").await;
    let empty = download(JobScript::new().content("")).await;
    let reply = empty.get(&[("Range", "bytes=0-0")]).await;
    assert_eq!(header(reply.headers(), "content-range"), "bytes */0");
    assert_eq!(reply.status(), 416);
    let reply = empty.get(&[]).await;
    assert_eq!(header(reply.headers(), "content-length"), "0");
    assert_eq!(reply.bytes().await.unwrap(), "");
}

#[tokio::test]
async fn if_match_lets_the_same_object_through_alone() {
    let d = download(JobScript::new()).await;
    let etag = header(d.get(&[]).await.headers(), "etag").to_owned();
    let list = format!("\"x\", {etag}");
    for tag in [etag.as_str(), "*", &list] {
        let reply = d.get(&[("If-Match", tag), ("Range", "bytes=1-2")]).await;
        assert_eq!(
            (reply.status().as_u16(), header(reply.headers(), "etag")),
            (206, &*etag)
        );
    }
    let reply = d
        .get(&[("If-Match", "\"x\""), ("Range", "bytes=1-2")])
        .await;
    refused(reply, 412, "PreconditionFailed").await;
    let reply = d
        .get(&[("If-Range", "\"x\""), ("Range", "bytes=1-2")])
        .await;
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn chunked_replies_announce_no_length() {
    let d = download(JobScript::new().chunked().rows(20_000)).await;
    let reply = d.get(&[]).await;
    assert_eq!(reply.headers().get("content-length"), None);
    assert_eq!(header(reply.headers(), "transfer-encoding"), "chunked");
    assert_eq!(reply.bytes().await.unwrap(), d.whole);
    let part = d.get(&[("Range", "bytes=5-9")]).await;
    assert_eq!(part.headers().get("content-length"), None);
    assert_eq!(part.bytes().await.unwrap(), d.whole[5..10]);
}

#[tokio::test]
async fn a_host_can_have_neither_ranges_nor_tags() {
    let d = download(JobScript::new().without_ranges().without_etag()).await;
    let reply = d
        .get(&[("Range", "bytes=5-9"), ("If-Match", "\"x\"")])
        .await;
    assert_eq!(reply.status(), 200);
    for name in ["etag", "accept-ranges", "content-range"] {
        assert_eq!(reply.headers().get(name), None, "{name}");
    }
    assert_eq!(reply.bytes().await.unwrap(), d.whole);
}

#[tokio::test]
async fn a_truncated_archive_is_announced_as_short_as_it_is() {
    let d = download(JobScript::new().truncated(1234)).await;
    assert_eq!(d.whole.len(), 1234);
    let reply = d.get(&[]).await;
    assert_eq!(header(reply.headers(), "content-length"), "1234");
    assert_eq!(reply.bytes().await.unwrap(), d.whole);
    let reply = d.get(&[("Range", "bytes=0-0")]).await;
    assert_eq!(header(reply.headers(), "content-range"), "bytes 0-0/1234");
}

#[tokio::test]
async fn a_wrong_length_breaks_the_body_or_cuts_it() {
    let d = download(JobScript::new().content("0123456789").declared_length(20)).await;
    let reply = d.get(&[]).await;
    assert_eq!(header(reply.headers(), "content-length"), "20");
    assert!(reply.bytes().await.is_err());
    let d = download(JobScript::new().content("0123456789").declared_length(4)).await;
    assert_eq!(d.get(&[]).await.bytes().await.unwrap(), "0123");
    assert_eq!(
        d.get(&[("Range", "bytes=0-9")])
            .await
            .bytes()
            .await
            .unwrap(),
        "0123456789"
    );
}

#[tokio::test]
async fn a_url_without_its_object_is_not_found() {
    let d = download(JobScript::new()).await;
    let other = Emulator::start().await.unwrap();
    // With the same seed and host the signature is valid, but the other emulator has no such job.
    let authority = d.emulator.asset_origin().to_string().replace("http://", "");
    let url = d.url.replace(
        &d.emulator.asset_origin().to_string(),
        &other.asset_origin().to_string(),
    );
    let reply = d
        .api
        .http
        .get(url)
        .header("Host", authority)
        .send()
        .await
        .unwrap();
    refused(reply, 404, "NoSuchKey").await;
}

#[tokio::test]
async fn bytes_on_the_wire_are_counted() {
    let d = download(JobScript::new()).await;
    d.get(&[("Range", "bytes=0-99")])
        .await
        .bytes()
        .await
        .unwrap();
    d.get(&[]).await.bytes().await.unwrap();
    assert_eq!(
        d.emulator.requests().asset_bytes,
        100 + d.whole.len() as u64
    );
}

#[test]
fn any_range_equals_that_part_of_the_whole() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let d = runtime.block_on(download(JobScript::new().rows(7_000)));
    let length = d.whole.len() as u64;
    let config = ProptestConfig::with_cases(64);
    proptest!(config, |(a in 0..length, b in 0..length + 9, form in 0..3)| {
        let (header_text, start, end) = match form {
            0 => (format!("bytes={a}-"), a, length),
            1 => (format!("bytes=-{}", b + 1), length.saturating_sub(b + 1), length),
            _ => (format!("bytes={}-{}", a.min(b), b), a.min(b), (b + 1).min(length)),
        };
        let (status, range, bytes) = runtime.block_on(async {
            let reply = d.get(&[("Range", &header_text)]).await;
            let range = header(reply.headers(), "content-range").to_owned();
            (reply.status(), range, reply.bytes().await.unwrap())
        });
        prop_assert_eq!(status, 206);
        prop_assert_eq!(range, format!("bytes {}-{}/{}", start, end - 1, length));
        let expected = d.whole.slice(usize::try_from(start).unwrap()..usize::try_from(end).unwrap());
        prop_assert_eq!(bytes, expected);
    });
}
