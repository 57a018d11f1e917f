use std::time::Duration;

use tulip_core::ResourceUrl;
use tulip_http::{Checkpoint, Client, Download, Error, ErrorKind, NeverRetry, Piece};

use crate::server::{STALL, Server, builder, client, json, reply};

fn resource(server: &Server) -> ResourceUrl {
    ResourceUrl::parse(&format!("{}/bucket/x.csv?X-Amz-Signature=5ig", server.url)).unwrap()
}

async fn open(client: &Client, resource: ResourceUrl) -> Result<Download, Error> {
    client.download(&"j".parse().unwrap(), resource).await
}

/// The bytes since the last restart, and the number of restarts.
async fn read_all(mut download: Download) -> Result<(Vec<u8>, usize), Error> {
    let (mut body, mut restarts) = (Vec::new(), 0);
    while let Some(piece) = download.next().await? {
        match piece {
            Piece::Bytes(chunk) => body.extend_from_slice(&chunk),
            _ => {
                body.clear();
                restarts += 1;
            }
        }
    }
    Ok((body, restarts))
}

async fn read(download: Download) -> Result<Vec<u8>, Error> {
    read_all(download).await.map(|(body, _)| body)
}

fn api() -> Client {
    client("http://127.0.0.1:9")
}

#[tokio::test]
async fn an_asset_is_asked_for_plainly_and_read_whole() {
    let server =
        Server::start([reply("200 OK", "ETag: \"abc\"\r\n", "State\r\nRunning\r\n")]).await;
    let asset = open(&api(), resource(&server)).await.unwrap();
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

/// A slow sink is not a silent host.
#[tokio::test]
async fn time_in_which_nobody_reads_is_no_silence() {
    let body = "x".repeat(4 << 20);
    let server = Server::start([reply("200 OK", "", &body)]).await;
    let mut asset = open(&api(), resource(&server)).await.unwrap();
    let Some(Piece::Bytes(first)) = asset.next().await.unwrap() else {
        panic!("the download starts over");
    };
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    tokio::time::resume();
    assert_eq!(read(asset).await.unwrap().len(), body.len() - first.len());
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nState\n";
    let server = Server::start([[head.as_slice(), STALL].concat()]).await;
    let asset = open(&api(), resource(&server)).await.unwrap();
    // Nothing else happens, so the paused clock advances.
    tokio::time::pause();
    let error = read(asset).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn an_open_asset_is_shown_without_its_signature() {
    let server = Server::start([reply("200 OK", "ETag: \"abc\"\r\n", "State\n")]).await;
    let asset = open(&api(), resource(&server)).await.unwrap();
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
    let error = open(&api(), resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReply);
    assert!(
        error
            .to_string()
            .contains("neither a Content-Length nor chunked"),
        "{error}"
    );
}

#[tokio::test]
async fn a_length_beside_chunks_is_compared() {
    let chunked = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n6\r\nState\n\r\n8\r\nRunning\n\r\n0\r\n\r\n"
        )
    };
    for (length, is_whole) in [(14, true), (6, false), (20, false)] {
        let server = Server::start([chunked(length)]).await;
        let client = builder(&server.url).retry(NeverRetry).build().unwrap();
        let read = match open(&client, resource(&server)).await {
            Ok(asset) => read(asset).await,
            Err(error) => Err(error),
        };
        match is_whole {
            true => assert_eq!(read.unwrap(), b"State\nRunning\n"),
            false => assert!(read.is_err(), "{length}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_followed_without_telling_where_from() {
    let server = Server::start([reply("200 OK", "", "State\n")]).await;
    let location = format!("Location: {}/there\r\n", server.url);
    let first = Server::start([reply("302 Found", &location, "")]).await;
    let asset = open(&api(), resource(&first)).await.unwrap();
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
    let error = open(&api(), resource(&around)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(around.requests().len() <= 7, "{}", around.requests().len());
    let to = "Location: http://key:h1dden@127.0.0.1:9/\r\n";
    let named = Server::start([reply("302 Found", to, "")]).await;
    let other = open(&api(), resource(&named)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Redirect);
    for error in [error, other] {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("5ig") && !shown.contains("h1dden"),
            "{shown}"
        );
    }
}

/// An API whose job is complete, with the archive at `assets`.
async fn api_with(assets: &Server) -> Server {
    let resource = format!("{}/bucket/x.csv?X-Amz-Signature=fre5h", assets.url);
    let status = format!(r#"{{"id":"j","status":"complete","resource":"{resource}"}}"#);
    Server::start([json("200 OK", &status)]).await
}

const EXPIRED: &str =
    "<Error><Code>AccessDenied</Code><Message>Request has expired AKIA5ig</Message></Error>";

#[tokio::test]
async fn a_refused_url_is_asked_for_afresh_a_bounded_number_of_times() {
    for line in ["400 Bad Request", "401 Unauthorized", "403 Forbidden"] {
        let server = Server::start([reply(line, "", EXPIRED)]).await;
        let tulip = api_with(&server).await;
        let error = open(&client(&tulip.url), resource(&server)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AssetRefused);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("AccessDenied"), "{shown}");
        assert!(
            !shown.contains("5ig") && !shown.contains("fre5h"),
            "{shown}"
        );
        // The first refusal, one without a range, and as many more as the policy allows.
        assert_eq!((server.requests().len(), tulip.requests().len()), (8, 6));
    }
}

#[tokio::test]
async fn a_job_without_another_url_ends_the_download() {
    let server = Server::start([reply("403 Forbidden", "", EXPIRED)]).await;
    let tulip = Server::start([json("200 OK", r#"{"id":"j","status":"expired"}"#)]).await;
    let error = open(&client(&tulip.url), resource(&server)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AssetRefused);
    assert!(error.to_string().contains("has no other"), "{error}");
}

const TAG: &str = "ETag: \"abc\"\r\n";

/// A reply that announces all of `body`, but ends after `sent` bytes of it.
fn broken(headers: &str, body: &str, sent: usize) -> Vec<u8> {
    let whole = reply("200 OK", headers, body);
    whole[..whole.len() - body.len() + sent].to_vec()
}

fn rest(range: &str, tag: &str, body: &str) -> Vec<u8> {
    let headers = format!("Content-Range: bytes {range}\r\n{tag}");
    reply("206 Partial Content", &headers, body)
}

#[tokio::test]
async fn a_broken_download_goes_on_at_the_byte_it_has_reached() {
    let server = Server::start([
        broken(TAG, "State\nDown\n", 6),
        rest("6-10/11", TAG, "Down\n"),
    ]);
    let server = server.await;
    let download = open(&api(), resource(&server)).await.unwrap();
    let (body, restarts) = read_all(download).await.unwrap();
    assert_eq!(
        (body.as_slice(), restarts),
        (b"State\nDown\n".as_slice(), 0)
    );
    let request = server.requests()[1].to_ascii_lowercase();
    assert!(request.contains("range: bytes=6-\r\n"), "{request}");
    assert!(request.contains("if-match: \"abc\"\r\n"), "{request}");
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_url_that_expires_on_the_way_is_replaced_and_the_download_goes_on() {
    let server = Server::start([
        broken(TAG, "State\nDown\n", 6),
        reply("403 Forbidden", "", EXPIRED),
        rest("6-10/11", TAG, "Down\n"),
    ]);
    let server = server.await;
    let tulip = api_with(&server).await;
    let download = open(&client(&tulip.url), resource(&server)).await.unwrap();
    let (body, restarts) = read_all(download).await.unwrap();
    assert_eq!(
        (body.as_slice(), restarts),
        (b"State\nDown\n".as_slice(), 0)
    );
    let request = &server.requests()[2];
    assert!(request.contains("fre5h") && request.to_ascii_lowercase().contains("bytes=6-"));
    assert_eq!(tulip.requests().len(), 1);
}

/// Whatever a host answers instead of the rest, two archives are never mixed.
#[tokio::test]
async fn what_is_not_surely_the_rest_starts_the_download_over() {
    let (old, new) = ("State\nDown\n", "Other\nRunning\n");
    let whole = reply("200 OK", "ETag: \"new\"\r\n", new);
    let other_tag = "ETag: \"new\"\r\n";
    for (first_tag, second) in [
        (TAG, reply("412 Precondition Failed", "", "")),
        (TAG, reply("416 Range Not Satisfiable", "", "")),
        (TAG, rest("6-10/11", other_tag, "Down\n")),
        (TAG, rest("6-10/11", "", "Down\n")),
        (TAG, rest("6-10/12", TAG, "Down\n")),
        (TAG, rest("5-9/11", TAG, "Down\n")),
        (TAG, rest("6-9/11", TAG, "Down\n")),
        (TAG, rest("6-10/*", TAG, "Down\n")),
        (TAG, reply("206 Partial Content", TAG, "Down\n")),
        (TAG, whole.clone()),
        ("ETag: W/\"abc\"\r\n", whole.clone()),
        ("", whole.clone()),
    ] {
        let shown = String::from_utf8_lossy(&second).into_owned();
        let server = Server::start([broken(first_tag, old, 6), second, whole.clone()]).await;
        let download = open(&api(), resource(&server)).await.unwrap();
        let (body, restarts) = read_all(download).await.unwrap();
        assert_eq!((body.as_slice(), restarts), (new.as_bytes(), 1), "{shown}");
        let has_tag = first_tag == TAG;
        let asked = server.requests()[1].to_ascii_lowercase();
        assert_eq!(asked.contains("range: bytes=6-\r\n"), has_tag, "{asked}");
    }
}

#[tokio::test]
async fn an_archive_that_keeps_changing_or_breaking_is_given_up() {
    for (second, kind) in [
        (
            reply("412 Precondition Failed", "", ""),
            ErrorKind::AssetChanged,
        ),
        (broken("", "State\nDown\n", 6), ErrorKind::ConnectionLost),
    ] {
        let first = broken(TAG, "State\nDown\n", 6);
        let turns = [first.clone(), second.clone()].into_iter().cycle().take(40);
        let server = Server::start(turns.collect::<Vec<_>>()).await;
        let download = open(&api(), resource(&server)).await.unwrap();
        let error = read_all(download).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(
            [kind, ErrorKind::ConnectionLost].contains(&error.kind()),
            "{error}"
        );
        assert!(server.requests().len() <= 8, "{}", server.requests().len());
    }
}

/// Neither one byte per connection nor the same bytes again count as progress.
#[tokio::test]
async fn a_host_that_never_gets_anywhere_is_given_up() {
    let body = "x".repeat(256 * 1024);
    // The first 64 bytes are inspected together.
    let mut by_bytes = vec![broken(TAG, &body, 64)];
    for at in 64..104 {
        let range = format!("{at}-{}/{}", body.len() - 1, body.len());
        let whole = rest(&range, TAG, &body[at..]);
        by_bytes.push(whole[..whole.len() - body.len() + at + 1].to_vec());
    }
    let again_and_again = vec![broken("", &body, 128 * 1024); 40];
    for turns in [by_bytes, again_and_again] {
        let server = Server::start(turns).await;
        let download = open(&api(), resource(&server)).await.unwrap();
        let error = read_all(download).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost);
        assert!(server.requests().len() < 20, "{}", server.requests().len());
    }
}

#[tokio::test]
async fn progress_resets_the_count_of_failures() {
    // More connections than the policy allows failures, each with enough bytes to count as
    // progress.
    let part = 64 * 1024;
    let body = "x".repeat(20 * part);
    let mut turns = vec![broken(TAG, &body, part)];
    for at in 1..20 {
        let whole = rest(
            &format!("{}-{}/{}", at * part, body.len() - 1, body.len()),
            TAG,
            &body[at * part..],
        );
        let left = body.len() - at * part;
        turns.push(whole[..whole.len() - left + part].to_vec());
    }
    let server = Server::start(turns).await;
    let download = open(&api(), resource(&server)).await.unwrap();
    let (read, restarts) = read_all(download).await.unwrap();
    assert_eq!((read.len(), restarts), (body.len(), 0));
}

/// A sink may hold up the download for longer than failures may last.
#[tokio::test]
async fn time_in_which_nobody_reads_is_no_time_of_failures() {
    let server = Server::start([
        broken(TAG, "State\nDown\n", 6),
        rest("6-10/11", TAG, "Down\n"),
    ]);
    let server = server.await;
    let mut download = open(&api(), resource(&server)).await.unwrap();
    let first = download.next().await.unwrap();
    assert_eq!(first, Some(Piece::Bytes("State\n".into())));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    tokio::time::resume();
    assert_eq!(read(download).await.unwrap(), b"Down\n");
}

#[tokio::test]
async fn another_download_goes_on_where_one_has_got_to() {
    let rest = reply(
        "206 Partial Content",
        "ETag: \"a\"\r\nContent-Range: bytes 6-13/14\r\n",
        "Running\n",
    );
    let other = reply("412 Precondition Failed", "", "");
    let whole = reply("200 OK", "ETag: \"b\"\r\n", "Other\n");
    let server = Server::start([rest, other, whole]).await;
    let job = "j".parse().unwrap();
    let checkpoint = Checkpoint::new(6, "\"a\"", Some(14));
    let resume = |checkpoint| {
        let client = api();
        let (job, resource) = (&job, resource(&server));
        async move { client.resume_download(job, resource, checkpoint).await }
    };
    let download = resume(checkpoint.clone()).await.unwrap();
    assert_eq!(download.checkpoint(), Some(checkpoint.clone()));
    assert_eq!(
        read_all(download).await.unwrap(),
        (b"Running\n".to_vec(), 0)
    );
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(request.contains("range: bytes=6-\r\n"), "{request}");
    assert!(request.contains("if-match: \"a\"\r\n"), "{request}");
    let download = resume(checkpoint.clone()).await.unwrap();
    assert_eq!(read_all(download).await.unwrap(), (b"Other\n".to_vec(), 1));
    let asked = server.requests().len();
    let all = Checkpoint::new(14, checkpoint.etag, checkpoint.length);
    let download = resume(all).await.unwrap();
    assert_eq!(read_all(download).await.unwrap(), (Vec::new(), 0));
    assert_eq!(
        server.requests().len(),
        asked,
        "there is nothing to ask for"
    );
}

/// A checkpoint from another process can be anything.
#[tokio::test]
async fn a_position_behind_the_end_starts_the_download_over() {
    let beyond = reply("416 Range Not Satisfiable", "", "");
    let whole = reply("200 OK", "ETag: \"a\"\r\n", "Other\n");
    let server = Server::start([beyond, whole]).await;
    let checkpoint = Checkpoint::new(600, "\"a\"", Some(14));
    let (client, job) = (api(), "j".parse().unwrap());
    let download = client.resume_download(&job, resource(&server), checkpoint);
    let download = download.await.unwrap();
    assert_eq!(read_all(download).await.unwrap(), (b"Other\n".to_vec(), 1));
}

#[tokio::test]
async fn more_bytes_than_the_range_has_are_refused() {
    let chunked = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 6-10/11\r\n\
        ETag: \"abc\"\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nDown\nXY\r\n0\r\n\r\n";
    let first = broken(TAG, "State\nDown\n", 6);
    let server = Server::start([first, chunked.into()]).await;
    let download = open(&api(), resource(&server)).await.unwrap();
    let error = read(download).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReply);
    assert!(error.to_string().contains("more bytes"), "{error}");
}

#[tokio::test]
async fn a_range_that_ends_early_is_followed_by_the_next() {
    let server = Server::start([
        broken(TAG, "State\nDown\n", 6),
        rest("6-7/11", TAG, "Do"),
        rest("8-10/11", TAG, "wn\n"),
    ]);
    let server = server.await;
    let download = open(&api(), resource(&server)).await.unwrap();
    assert_eq!(read(download).await.unwrap(), b"State\nDown\n");
}

#[tokio::test]
async fn a_busy_host_is_asked_again() {
    let busy = reply("503 Slow Down", "", "<Error><Code>SlowDown</Code></Error>");
    let server = Server::start([busy, reply("200 OK", "", "State\n")]).await;
    let asset = open(&api(), resource(&server)).await.unwrap();
    assert_eq!(read(asset).await.unwrap(), b"State\n");
}

#[tokio::test]
async fn what_is_not_a_plain_csv_is_refused() {
    for (headers, status, says) in [
        ("Content-Type: text/html\r\n", "200 OK", "text/html"),
        ("Content-Encoding: gzip\r\n", "200 OK", "compressed (gzip)"),
        (
            // Also in reply to the second request, which has no range.
            "Content-Range: bytes 1-6/7\r\n",
            "206 Partial Content",
            "206",
        ),
    ] {
        let server = Server::start([reply(status, headers, "State\n")]).await;
        let error = open(&api(), resource(&server)).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nState\n";
    let server = Server::start([cut.to_vec()]).await;
    let asset = open(&api(), resource(&server)).await.unwrap();
    assert_eq!(
        read(asset).await.unwrap_err().kind(),
        ErrorKind::ConnectionLost
    );
}

#[tokio::test]
async fn http_assets_of_an_https_api_are_refused_before_any_connection() {
    let server = Server::start([reply("200 OK", "", "State\n")]).await;
    let client = client("https://acme.tulip.example");
    let error = open(&client, resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureAsset);
    assert!(server.requests().is_empty());
    let allowed = builder("https://9.9.9.9")
        .allow_http_assets(true)
        .allow_network("127.0.0.0/8".parse().unwrap());
    let allowed = allowed.build().unwrap();
    let asset = open(&allowed, resource(&server)).await.unwrap();
    assert_eq!(read(asset).await.unwrap(), b"State\n");
}

/// The HTTP library reads such a body until the connection closes, and ignores its length.
#[tokio::test]
async fn a_transfer_coding_that_is_not_chunked_cannot_hide_that_bytes_are_missing() {
    let head = |coding: &str, length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\nContent-Length: {length}\r\n\
            Connection: close\r\n\r\nState\nDown\n"
        )
    };
    let server = Server::start([head("identity", 22)]).await;
    let error = match open(&api(), resource(&server)).await {
        Ok(download) => read(download).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
    let server = Server::start([head("identity", 11)]).await;
    let download = open(&api(), resource(&server)).await.unwrap();
    assert_eq!(read(download).await.unwrap(), b"State\nDown\n");
    let server = Server::start([head("gzip", 11)]).await;
    let error = open(&api(), resource(&server)).await.unwrap_err();
    assert!(error.to_string().contains("compressed (gzip)"), "{error}");
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nState\n";
    let server = Server::start([endless]).await;
    let error = open(&api(), resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReply, "{error}");
}

#[tokio::test]
async fn chunks_are_read_however_they_are_announced() {
    for coding in ["chunked", "Chunked", " CHUNKED ", "identity, chunked"] {
        let reply = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n6\r\nState\n\r\n0\r\n\r\n"
        );
        let server = Server::start([reply]).await;
        let download = open(&api(), resource(&server)).await.unwrap();
        assert_eq!(read(download).await.unwrap(), b"State\n", "{coding}");
    }
}

#[tokio::test]
async fn an_encoding_that_compresses_nothing_changes_nothing() {
    for encoding in [
        "",
        "identity",
        "UTF-8",
        "aws-chunked",
        "binary",
        "none, 8bit",
    ] {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        let server = Server::start([reply("200 OK", &headers, "State\n")]).await;
        let download = open(&api(), resource(&server)).await.unwrap();
        assert_eq!(read(download).await.unwrap(), b"State\n", "{encoding}");
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_names_the_buckets_region() {
    let body = "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
    let headers = "x-amz-bucket-region: eu-west-1\r\n";
    let server = Server::start([reply("301 Moved Permanently", headers, body)]).await;
    let error = open(&api(), resource(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    let text = error.to_string();
    assert!(
        text.contains("the region eu-west-1, at b.s3.eu-west-1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_busy_host_holds_back_no_other() {
    let busy = reply("503 Slow Down", "Retry-After: 3600\r\n", "");
    let busy = Server::start([busy]).await;
    let calm = Server::start([reply("200 OK", "", "State\n")]).await;
    let client = builder("http://127.0.0.1:9")
        .retry(NeverRetry)
        .build()
        .unwrap();
    let error = open(&client, resource(&busy)).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    let limit = Duration::from_secs(60);
    let download = tokio::time::timeout(limit, open(&client, resource(&calm))).await;
    assert_eq!(read(download.unwrap().unwrap()).await.unwrap(), b"State\n");
}
