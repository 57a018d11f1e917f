//! Wrong replies to ranged requests, and objects that are replaced between two requests.

use bytes::Bytes;
use reqwest::Response;
use tulip_emulator::{Endpoint, Fault, JobScript, RangeFault};

use crate::bench::{Bench, bench};
use crate::client::header;

impl Bench {
    /// The reply to a download with these headers, which meets `fault`.
    async fn meets(&self, fault: Fault, headers: &[(&str, &str)]) -> Response {
        self.emulator.fail_next(Endpoint::Asset, 1, fault);
        self.download(headers).await
    }

    /// `Content-Range`, `Content-Length` and body of the reply to `bytes=5-7`. The body is `None`
    /// if it breaks off.
    async fn ranged(&self, fault: RangeFault) -> (String, String, Option<Bytes>) {
        let reply = self
            .meets(Fault::Range(fault), &[("Range", "bytes=5-7")])
            .await;
        assert_eq!(reply.status(), 206);
        let of = |name| header(reply.headers(), name).to_owned();
        let (range, length) = (of("content-range"), of("content-length"));
        (range, length, reply.bytes().await.ok())
    }
}

fn expected(range: &str, length: &str, body: &'static str) -> (String, String, Option<Bytes>) {
    (range.to_owned(), length.to_owned(), Some(body.into()))
}

#[tokio::test]
async fn a_content_range_can_be_for_another_range_or_total() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let shifted = |by| b.ranged(RangeFault::Shifted { by });
    assert_eq!(shifted(1).await, expected("bytes 6-7/10", "2", "67"));
    assert_eq!(shifted(-2).await, expected("bytes 3-7/10", "5", "34567"));
    let total = b.ranged(RangeFault::Total(11)).await;
    assert_eq!(total, expected("bytes 5-7/11", "3", "567"));
}

#[tokio::test]
async fn a_content_range_can_be_missing_or_unreadable() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let missing = b.ranged(RangeFault::Missing).await;
    assert_eq!(missing, expected("", "3", "567"));
    for text in [
        "bytes 5-7/*",
        "bytes five to seven",
        "octets 5-7/10",
        "bytes 7-5/10",
    ] {
        let reply = b.ranged(RangeFault::Text(text.to_owned())).await;
        assert_eq!(reply, expected(text, "3", "567"));
    }
}

#[tokio::test]
async fn a_range_can_have_fewer_or_more_bytes_than_it_says() {
    let b = bench(JobScript::new().content("0123456789")).await;
    for (bytes, length, body) in [
        (0, "0", ""),
        (1, "1", "5"),
        (4, "4", "5678"),
        (7, "7", "56789  "),
    ] {
        let reply = b.ranged(RangeFault::Bytes(bytes)).await;
        assert_eq!(reply, expected("bytes 5-7/10", length, body));
    }
    let b = bench(JobScript::new().content("0123456789").chunked()).await;
    let reply = b.ranged(RangeFault::Bytes(7)).await;
    assert_eq!(reply, expected("bytes 5-7/10", "", "56789  "));
}

#[tokio::test]
async fn a_range_can_announce_another_length_than_it_has() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let short = b.ranged(RangeFault::Length(2)).await;
    assert_eq!(short, expected("bytes 5-7/10", "2", "56"));
    let (range, length, body) = b.ranged(RangeFault::Length(9)).await;
    assert_eq!((&*range, &*length, body), ("bytes 5-7/10", "9", None));
}

#[tokio::test]
async fn whole_replies_have_no_wrong_range() {
    let b = bench(JobScript::new().content("0123456789")).await;
    let reply = b.meets(Fault::Range(RangeFault::Bytes(1)), &[]).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.bytes().await.unwrap(), "0123456789");
}

#[tokio::test]
async fn a_replaced_object_has_another_tag_and_fails_if_match() {
    let b = bench(JobScript::new()).await;
    let (old, new) = (
        b.emulator.content(&b.job),
        b.emulator.replaced_content(&b.job),
    );
    let (old, new) = (old.unwrap().to_bytes(), new.unwrap().to_bytes());
    assert_eq!(old.len(), new.len());
    let first = b.meets(Fault::None, &[]).await;
    let tag = header(first.headers(), "etag").to_owned();
    assert_eq!(first.bytes().await.unwrap(), old);
    let headers = [("If-Match", &*tag), ("Range", "bytes=10-19")];
    assert_eq!(b.meets(Fault::Replaced, &headers).await.status(), 412);
    let second = b.meets(Fault::Replaced, &[]).await;
    assert_ne!(header(second.headers(), "etag"), tag);
    assert_eq!(second.bytes().await.unwrap(), new);
    // It was replaced only for those requests.
    let reply = b.meets(Fault::None, &headers).await;
    assert_eq!(reply.bytes().await.unwrap(), old[10..20]);
}

#[tokio::test]
async fn a_host_that_ignores_if_match_serves_the_other_object() {
    let script = JobScript::new().content("0123456789").without_if_match();
    let b = bench(script.replacement("abcdefgh")).await;
    let tag = header(b.meets(Fault::None, &[]).await.headers(), "etag").to_owned();
    let headers = [("If-Match", &*tag), ("Range", "bytes=4-")];
    let reply = b.meets(Fault::Replaced, &headers).await;
    assert_eq!(reply.status(), 206);
    assert_ne!(header(reply.headers(), "etag"), tag);
    assert_eq!(header(reply.headers(), "content-range"), "bytes 4-7/8");
    assert_eq!(reply.bytes().await.unwrap(), "efgh");
}
