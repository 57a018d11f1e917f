use std::time::Duration;

use tulip_core::ResourceUrl;
use tulip_http::{Asset, Client, Error, ErrorKind};

use crate::server::{STALL, Server, client, reply};

fn resource(server: &Server) -> ResourceUrl {
    ResourceUrl::parse(&format!("{}/bucket/x.csv?X-Amz-Signature=5ig", server.url)).unwrap()
}

async fn read(mut asset: Asset) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = asset.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn api() -> Client {
    client("http://127.0.0.1:9")
}

#[tokio::test]
async fn an_asset_is_asked_for_plainly_and_read_whole() {
    let server =
        Server::start([reply("200 OK", "ETag: \"abc\"\r\n", "State\r\nRunning\r\n")]).await;
    let asset = api().open_asset(&resource(&server)).await.unwrap();
    assert_eq!((asset.length(), asset.etag()), (Some(16), Some("\"abc\"")));
    assert_eq!(read(asset).await.unwrap(), b"State\r\nRunning\r\n");
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(
        request.starts_with("get /bucket/x.csv?x-amz-signature=5ig http/1.1"),
        "{request}"
    );
    assert!(!request.contains("authorization"), "{request}");
    assert!(request.contains("accept-encoding: identity"), "{request}");
}

/// A sink that takes its time is not a host that is silent.
#[tokio::test]
async fn time_in_which_nobody_reads_is_no_silence() {
    let body = "x".repeat(4 << 20);
    let server = Server::start([reply("200 OK", "", &body)]).await;
    let mut asset = api().open_asset(&resource(&server)).await.unwrap();
    let first = asset.chunk().await.unwrap().unwrap().len();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    tokio::time::resume();
    assert_eq!(read(asset).await.unwrap().len(), body.len() - first);
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nState\n";
    let server = Server::start([[head.as_slice(), STALL].concat()]).await;
    let asset = api().open_asset(&resource(&server)).await.unwrap();
    // Nothing else moves, so the clock does.
    tokio::time::pause();
    let error = read(asset).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn an_open_asset_is_shown_without_its_signature() {
    let server = Server::start([reply("200 OK", "ETag: \"abc\"\r\n", "State\n")]).await;
    let asset = api().open_asset(&resource(&server)).await.unwrap();
    let shown = format!("{asset:?}");
    assert!(shown.contains("length: Some(6)"), "{shown}");
    assert!(
        !shown.contains("5ig") && !shown.contains("bucket"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_body_that_nothing_tells_the_end_of_is_refused() {
    let endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nState\nRunning\n";
    let server = Server::start([endless.to_vec()]).await;
    let error = api().open_asset(&resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReply);
    assert!(
        error.to_string().contains("neither its length nor chunks"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_is_followed_without_telling_where_from() {
    let server = Server::start([reply("200 OK", "", "State\n")]).await;
    let location = format!("Location: {}/there\r\n", server.url);
    let first = Server::start([reply("302 Found", &location, "")]).await;
    let asset = api().open_asset(&resource(&first)).await.unwrap();
    assert_eq!(read(asset).await.unwrap(), b"State\n");
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(
        !request.contains("referer") && !request.contains("5ig"),
        "{request}"
    );
}

#[tokio::test]
async fn endless_redirects_and_redirects_with_user_info_are_refused() {
    let around = Server::start([reply("302 Found", "Location: /again?sig=5ig\r\n", "")]).await;
    let error = api().open_asset(&resource(&around)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(around.requests().len() <= 7, "{}", around.requests().len());
    let to = "Location: http://key:h1dden@127.0.0.1:9/\r\n";
    let named = Server::start([reply("302 Found", to, "")]).await;
    let other = api().open_asset(&resource(&named)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Redirect);
    for error in [error, other] {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("5ig") && !shown.contains("h1dden"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_refused_url_gives_the_stores_code_and_what_to_do() {
    let body =
        "<Error><Code>AccessDenied</Code><Message>Request has expired AKIA5ig</Message></Error>";
    for line in ["400 Bad Request", "401 Unauthorized", "403 Forbidden"] {
        let server = Server::start([reply(line, "", body)]).await;
        let error = api().open_asset(&resource(&server)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AssetRefused);
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("AccessDenied") && shown.contains("fresh URL"),
            "{shown}"
        );
        assert!(!shown.contains("5ig"), "{shown}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_busy_host_is_asked_again() {
    let busy = reply("503 Slow Down", "", "<Error><Code>SlowDown</Code></Error>");
    let server = Server::start([busy, reply("200 OK", "", "State\n")]).await;
    let asset = api().open_asset(&resource(&server)).await.unwrap();
    assert_eq!(read(asset).await.unwrap(), b"State\n");
}

#[tokio::test]
async fn what_is_not_a_plain_csv_is_refused() {
    for (headers, status, says) in [
        ("Content-Type: text/html\r\n", "200 OK", "HTML page"),
        ("Content-Encoding: gzip\r\n", "200 OK", "compressed (gzip)"),
        (
            "Content-Range: bytes 0-5/6\r\n",
            "206 Partial Content",
            "206",
        ),
    ] {
        let server = Server::start([reply(status, headers, "State\n")]).await;
        let error = api().open_asset(&resource(&server)).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nState\n";
    let server = Server::start([cut.to_vec()]).await;
    let asset = api().open_asset(&resource(&server)).await.unwrap();
    assert_eq!(
        read(asset).await.unwrap_err().kind(),
        ErrorKind::Interrupted
    );
}

#[tokio::test]
async fn http_assets_of_an_https_api_are_refused_before_any_connection() {
    let server = Server::start([reply("200 OK", "", "State\n")]).await;
    let client = client("https://acme.tulip.example");
    let error = client.open_asset(&resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureAsset);
    assert!(server.requests().is_empty());
    let allowed = crate::server::builder("https://acme.tulip.example").allow_http_assets(true);
    let asset = allowed
        .build()
        .unwrap()
        .open_asset(&resource(&server))
        .await
        .unwrap();
    assert_eq!(read(asset).await.unwrap(), b"State\n");
}
