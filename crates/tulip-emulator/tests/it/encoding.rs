//! Archives that the asset host stores in another form than plain text.

use tulip_emulator::JobScript;

use crate::bench::bench;
use crate::client::header;

#[tokio::test]
async fn an_archive_can_lie_there_compressed() {
    let plain = bench(JobScript::new()).await;
    let b = bench(JobScript::new().gzip()).await;
    assert_ne!(b.whole, plain.whole);
    let reply = b.download(&[]).await;
    assert_eq!(header(reply.headers(), "content-encoding"), "gzip");
    assert_eq!(
        header(reply.headers(), "content-length"),
        b.whole.len().to_string()
    );
    let tag = header(reply.headers(), "etag").to_owned();
    assert_eq!(reply.bytes().await.unwrap(), b.whole);
    // A header, a block, and a checksum with the length at the end.
    let length = u32::try_from(plain.whole.len()).unwrap();
    assert!(b.whole.starts_with(&[0x1f, 0x8b, 8]) && b.whole.ends_with(&length.to_le_bytes()));
    assert_eq!(b.whole[15..][..500], plain.whole[..500]);
    let part = b
        .download(&[("Range", "bytes=5-9"), ("If-Match", &tag)])
        .await;
    assert_eq!(part.bytes().await.unwrap(), b.whole[5..10]);
}

#[tokio::test]
async fn headers_of_the_archive_can_be_others() {
    let script = JobScript::new().asset_header("Content-Encoding", "gzip");
    let b = bench(script.asset_header("content-type", "text/html")).await;
    let reply = b.download(&[]).await;
    assert_eq!(header(reply.headers(), "content-encoding"), "gzip");
    let types = reply.headers().get_all("content-type");
    assert!(types.iter().eq(["text/html"]));
    assert_eq!(reply.bytes().await.unwrap(), b.whole, "pretended");
}
