//! Hosts that are after the credentials, or after what only this machine can reach.

use tulip_core::ResourceUrl;
use tulip_http::{Advice, Client, Download, Error, ErrorKind};

use crate::server::{Server, builder, client, json, reply};

async fn download(client: &Client, url: &str) -> Result<Download, Error> {
    let resource = ResourceUrl::parse(url).unwrap();
    client.download(&"j".parse().unwrap(), resource).await
}

fn assert_without_credentials(requests: &[String]) {
    assert!(!requests.is_empty());
    for request in requests {
        let request = request.to_ascii_lowercase();
        assert!(!request.contains("authorization"), "{request}");
        assert!(!request.contains("cookie"), "{request}");
    }
}

/// A client whose API is on the public network.
fn away() -> tulip_http::ClientBuilder {
    builder("https://9.9.9.9").allow_http_assets(true)
}

#[tokio::test]
async fn an_asset_on_the_apis_own_host_is_asked_for_without_credentials() {
    let server = Server::start([json("200 OK", "[]"), reply("200 OK", "", "State\n")]).await;
    let client = client(&server.url);
    client.machines().await.unwrap();
    let url = format!("{}/api/v3/machines", server.url);
    download(&client, &url).await.unwrap();
    let requests = server.requests();
    assert!(requests[0].to_ascii_lowercase().contains("authorization"));
    assert_without_credentials(&requests[1..]);
}

#[tokio::test]
async fn redirects_carry_no_credentials_to_another_port_nor_to_the_api() {
    let server = Server::start([reply("200 OK", "", "State\n")]).await;
    let client = client(&server.url);
    for status in ["301 M", "302 F", "303 S", "307 T", "308 P"] {
        let location = format!("Location: {}/api/v3/machines\r\n", server.url);
        let first = Server::start([reply(status, &location, "")]).await;
        download(&client, &format!("{}/x", first.url))
            .await
            .unwrap();
        assert_without_credentials(&first.requests());
    }
    assert_eq!(server.requests().len(), 5);
    assert_without_credentials(&server.requests());
}

#[tokio::test]
async fn the_apis_redirects_are_not_followed_wherever_they_lead() {
    let thief = Server::start([json("200 OK", "[]")]).await;
    let api = thief.url.replace("127.0.0.1", "localhost");
    for to in [thief.url.clone(), api, thief.url.replace("http", "https")] {
        let location = format!("Location: {to}/api/v3/machines\r\n");
        let server = Server::start([reply("307 Temporary Redirect", &location, "")]).await;
        let error = client(&server.url).machines().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect);
    }
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn nothing_is_downloaded_from_where_only_this_machine_reaches() {
    let server = Server::start([reply("200 OK", "", "secrets\n")]).await;
    let port = server.url.rsplit(':').next().unwrap();
    let client = away().build().unwrap();
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/x?sig=5ig");
        let error = download(&client, &url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddressRefused, "{host}: {error:?}");
        assert!(!error.is_retryable() && error.attempts() == 1, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("this machine itself"), "{shown}");
        assert_eq!(error.advice(), Some(Advice::AllowNetwork));
        assert!(!shown.contains("5ig"), "{shown}");
    }
    for host in ["10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "0.0.0.0"] {
        let error = download(&client, &format!("http://{host}:{port}/x")).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddressRefused, "{host}: {error:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_allowed_is_downloaded_and_does_not_lead_further() {
    let inside = Server::start([reply("200 OK", "", "secrets\n")]).await;
    let port = inside.url.rsplit(':').next().unwrap();
    let client = away().allow_network("127.0.0.1".parse().unwrap());
    let client = client.build().unwrap();
    for to in [
        format!("127.0.0.2:{port}"),
        format!("[::1]:{port}"),
        "169.254.169.254".to_owned(),
    ] {
        let location = format!("Location: http://{to}/x?sig=5ig\r\n");
        let first = Server::start([reply("302 Found", &location, "")]).await;
        let error = download(&client, &format!("{}/x", first.url)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddressRefused, "{to}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("5ig"));
        assert_eq!(first.requests().len(), 1, "it is allowed");
    }
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn a_fresh_url_is_checked_like_the_first() {
    let resource = "http://169.254.169.254/latest/meta-data";
    let status = format!(r#"{{"id":"j","status":"complete","resource":"{resource}"}}"#);
    let tulip = Server::start([json("200 OK", &status)]).await;
    let assets = Server::start([reply("403 Forbidden", "", "")]).await;
    let error = download(&client(&tulip.url), &format!("{}/x", assets.url)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::AddressRefused);
}

#[tokio::test]
async fn a_header_of_megabytes_is_given_up() {
    let huge = format!("X-Huge: {}\r\n", "x".repeat(4 << 20));
    let many: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
    for headers in [huge, many] {
        let server = Server::start([reply("200 OK", &headers, "State\n")]).await;
        let client = client(&server.url);
        let error = download(&client, &format!("{}/x", server.url)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidReply, "{error:?}");
        assert!(error.to_string().len() < 500, "{error}");
        let error = client.machines().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidReply, "{error:?}");
    }
}
