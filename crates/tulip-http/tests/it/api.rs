use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tulip_core::{ArchiveJob, JobId, MachineId, WorkspaceId};
use tulip_http::{Advice, Client, Error, ErrorKind, NeverRetry, Settings};

use crate::server::{STALL, Server, builder, client, json, reply};

const JOB: &str = r#"{ "id": "evsLrbKLQgX8YWE4v", "type": "ddm-machine-activity-export", "status": "complete", "resource": "http://s3.amazon.com/acme/x.csv?X-Amz-Signature=f2579879" }"#;

fn job() -> JobId {
    "evsLrbKLQgX8YWE4v".parse().unwrap()
}

fn machine() -> MachineId {
    "g56RCoZCtzv7borvp".parse().unwrap()
}

async fn status(replies: Vec<Vec<u8>>) -> (Result<ArchiveJob, Error>, usize) {
    let server = Server::start(replies).await;
    let result = client(&server.url).archive_status(&job()).await;
    (result, server.requests().len())
}

async fn failed_status(answer: Vec<u8>) -> Error {
    status(vec![answer]).await.0.unwrap_err()
}

#[test]
fn an_instance_on_http_elsewhere_is_refused_unless_that_is_allowed() {
    let built = |url: &str, allow: bool| builder(url).allow_insecure_http(allow).build().err();
    for url in ["http://10.0.0.1", "http://tulip.plant.example:8080"] {
        let error = built(url, false).unwrap().to_string();
        assert_eq!(
            error,
            format!("{url} is not https: the API key and secret would be sent in clear")
        );
        assert!(built(url, true).is_none(), "{url}");
    }
    for url in [
        "https://tulip.plant.example",
        "http://127.0.0.1:9",
        "http://[::1]:9",
    ] {
        assert!(built(url, false).is_none(), "{url}");
    }
}

#[tokio::test]
async fn a_status_call_is_authenticated_and_answered() {
    let server = Server::start([json("200 OK", JOB)]).await;
    let found = client(&server.url).archive_status(&job()).await.unwrap();
    assert!(found.status.is_complete() && found.resource.is_some());
    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /api/v3/machines/archive/csv/evsLrbKLQgX8YWE4v HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Basic YXBpa2V5LjJfYTpzM2NyZXQ=\r\n"),
        "{request}"
    );
    assert!(
        request.contains(concat!(
            "user-agent: tulip-archive/",
            env!("CARGO_PKG_VERSION")
        )),
        "{request}"
    );
}

#[tokio::test]
async fn account_tokens_ask_below_their_workspace() {
    let server = Server::start([json("200 OK", "[]")]).await;
    let mut settings = Settings::new(
        server.url.parse().unwrap(),
        tulip_core::Credentials::new("apikey.2_a", "s3cret").unwrap(),
    );
    settings.workspace = Some(WorkspaceId::new("DEFAULT").unwrap());
    let client = Client::builder(settings)
        .product("acme-lake/2.1")
        .build()
        .unwrap();
    assert!(client.machines().await.unwrap().is_empty());
    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /api/v3/w/DEFAULT/machines HTTP/1.1"),
        "{request}"
    );
    assert!(
        request.contains("user-agent: acme-lake/2.1 tulip-archive/"),
        "{request}"
    );
}

#[tokio::test]
async fn ids_are_percent_encoded_into_the_path() {
    let reply = r#"{"id":"a?b#c%2e日","status":"pending"}"#;
    let server = Server::start([json("200 OK", reply)]).await;
    let job: JobId = "a?b#c%2e日".parse().unwrap();
    client(&server.url).archive_status(&job).await.unwrap();
    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /api/v3/machines/archive/csv/a%3Fb%23c%252e%E6%97%A5 HTTP"),
        "{request}"
    );
}

#[tokio::test]
async fn every_documented_error_has_its_kind_and_carries_what_tulip_said() {
    let body = r#"{"errorCode":"Nope","errorUniqueID":"aB3+/x","details":"read this"}"#;
    for (line, kind) in [
        ("400 Bad Request", ErrorKind::BadRequest),
        ("401 Unauthorized", ErrorKind::Unauthorized),
        ("403 Forbidden", ErrorKind::Forbidden),
        ("404 Not Found", ErrorKind::NotFound),
        ("422 Unprocessable Content", ErrorKind::Unprocessable),
        ("429 Too Many Requests", ErrorKind::RateLimited),
        ("500 Internal Server Error", ErrorKind::Server),
        ("418 I'm a teapot", ErrorKind::UnexpectedStatus),
    ] {
        let error = failed_status(json(line, body)).await;
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.status(), line[..3].parse().ok());
        assert_eq!(error.error_code(), Some("Nope"));
        assert_eq!(error.error_unique_id(), Some("aB3+/x"));
        assert_eq!(error.details(), Some("read this"));
        let text = error.to_string();
        let beginning = match kind {
            ErrorKind::NotFound => "job evsLrbKLQgX8YWE4v not found",
            _ => "GET /machines/archive/csv/evsLrbKLQgX8YWE4v: ",
        };
        assert!(text.starts_with(beginning), "{text}");
        for part in [
            &line[..3],
            "errorUniqueID aB3+/x",
            "errorCode Nope",
            "read this",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_told_the_scope_that_the_call_needs() {
    let server = Server::start([json("403 Forbidden", "{}")]).await;
    let client = client(&server.url);
    let read = client.machines().await.unwrap_err();
    assert!(read.is_permission_denied());
    assert!(
        read.to_string()
            .contains("the token lacks machines:read or was rejected"),
        "{read}"
    );
    let write = client.start_archive(&machine()).await.unwrap_err();
    assert!(
        write
            .to_string()
            .contains("the token lacks machines:write or was rejected"),
        "{write}"
    );
}

#[tokio::test]
async fn replies_that_are_not_the_expected_json_are_said_to_be_so() {
    let html = "<!DOCTYPE html><html><head><title>Access\n denied</title></head></html>";
    let huge = format!("[{}", " ".repeat(17 * 1024 * 1024));
    for (answer, says) in [
        (
            reply("200 OK", "Content-Type: text/html; charset=utf-8\r\n", html),
            r#"title "Access denied""#,
        ),
        (json("200 OK", "<html></html>"), "HTML or XML page"),
        (json("200 OK", " \n"), "it is empty"),
        (
            json("200 OK", "plain text"),
            "not the JSON that was expected",
        ),
        (json("200 OK", r#"{"id":"j""#), "the JSON is cut off"),
        (
            json("200 OK", r#"{"id":"a/b","status":"complete"}"#),
            "not the JSON that was expected",
        ),
        (json("200 OK", "[]"), "not the JSON that was expected"),
        (json("200 OK", &huge), "over 16777216 bytes"),
    ] {
        let error = failed_status(answer).await;
        assert_eq!(error.kind(), ErrorKind::InvalidReply, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.advice(), Some(Advice::CheckInstance));
        assert!(error.is_odd_reply());
        assert_eq!(error.attempts(), 1);
    }
}

#[tokio::test]
async fn json_that_is_called_a_page_is_read() {
    let answer = reply("200 OK", "Content-Type: text/html\r\n", JOB);
    let (found, _) = status(vec![answer]).await;
    assert_eq!(found.unwrap().id, job());
}

#[tokio::test]
async fn an_error_page_that_is_not_json_is_shown_and_not_taken_for_tulips_refusal() {
    for line in [
        "401 Unauthorized",
        "403 Forbidden",
        "405 Method Not Allowed",
        "407 Proxy Authentication Required",
        "451 Unavailable",
    ] {
        let page = "<title>Your IP is blocked</title>";
        let error = failed_status(reply(line, "Content-Type: text/html\r\n", page)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidReply);
        assert!(!error.is_permission_denied());
        let text = error.to_string();
        assert!(text.contains(r#"title "Your IP is blocked""#), "{text}");
        assert!(text.contains(&line[..3]), "{text}");
        assert_eq!(error.advice(), Some(Advice::CheckInstance));
        assert!(error.is_odd_reply());
    }
    let text = failed_status(reply("400 Bad Request", "", "what?\nno")).await;
    assert!(text.to_string().contains(r#"it says "what? no""#), "{text}");
}

#[tokio::test]
async fn a_page_that_says_404_is_not_tulip_saying_that_a_job_is_unknown() {
    let page = reply(
        "404 Not Found",
        "Content-Type: text/html\r\n",
        "<title>nginx</title>",
    );
    let error = failed_status(page).await;
    assert_eq!(
        (error.kind(), error.is_not_found()),
        (ErrorKind::InvalidReply, false)
    );
    assert!(error.to_string().contains(r#"title "nginx""#), "{error}");
    let said = failed_status(json("404 Not Found", r#"{"errorCode":"NotFound"}"#)).await;
    assert!(said.is_not_found());
}

#[tokio::test]
async fn a_reply_that_trickles_ends_with_the_calls_limit() {
    let stalled = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".as_slice(),
        STALL,
    ]
    .concat();
    let server = Server::start([stalled]).await;
    let builder = builder(&server.url).retry(NeverRetry);
    let client = builder
        .call_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    assert_eq!(
        client.machines().await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
}

#[tokio::test]
async fn a_server_that_echoes_the_secret_does_not_make_us_show_it() {
    let body = r#"{"errorCode":"s3cret","details":"got Basic YXBpa2V5LjJfYTpzM2NyZXQ= and s3cret, see https://h/x?sig=5ig"}"#;
    let error = failed_status(json("400 Bad Request", body)).await;
    let shown = format!("{error} {error:?}");
    for secret in ["s3cret", "YXBpa2V5LjJfYTpzM2NyZXQ", "5ig"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let page = format!("<title>{}</title>", "x".repeat(197) + "s3cret");
    let error = failed_status(reply(
        "400 Bad Request",
        "Content-Type: text/html\r\n",
        &page,
    ))
    .await;
    assert!(!error.to_string().contains("s3c"), "{error}");
}

#[tokio::test]
async fn the_status_of_another_job_is_refused_and_both_are_named() {
    let other = r#"{"id":"SOMEONEELSES","status":"complete"}"#;
    let error = failed_status(json("200 OK", other)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidReply);
    let text = error.to_string();
    assert!(
        text.contains("SOMEONEELSES") && text.contains("evsLrbKLQgX8YWE4v"),
        "{text}"
    );
    assert!(error.is_odd_reply() && !error.is_retryable());
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_skipped() {
    let (found, _) = status(vec![json("200 OK", &format!("\u{feff}{JOB}"))]).await;
    assert!(found.unwrap().status.is_complete());
    let body = "\u{feff}{\"errorCode\":\"Nope\"}";
    let error = failed_status(json("400 Bad Request", body)).await;
    assert_eq!(error.error_code(), Some("Nope"));
}

#[tokio::test]
async fn a_start_needs_nothing_but_a_usable_id() {
    for (body, id) in [
        (r#"{"id":"j1"}"#, "j1"),
        (r#"{"id":"j1","status":null}"#, "j1"),
        (r#"{"id":"j1","status":200}"#, "j1"),
        (r#"{"id":4711}"#, "4711"),
        ("\u{feff}{\"id\":\"j1\"}", "j1"),
    ] {
        let server = Server::start([json("200 OK", body)]).await;
        let job = client(&server.url).start_archive(&machine()).await.unwrap();
        assert_eq!(job.id.as_str(), id, "{body}");
    }
    for body in [r#"{"id":null}"#, r#"{"id":["j1"]}"#, r#"{"id":true}"#] {
        let server = Server::start([json("200 OK", body)]).await;
        let error = client(&server.url).start_archive(&machine()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidReply, "{body}");
        assert!(error.is_outcome_unknown());
    }
}

#[tokio::test]
async fn gets_are_repeated_until_they_succeed() {
    let (result, requests) = status(vec![
        json("503 Service Unavailable", "{}"),
        json("429 Too Many Requests", "{}"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{".to_vec(),
        Vec::new(),
        json("200 OK", JOB),
    ])
    .await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(requests, 5);
}

#[tokio::test]
async fn the_last_error_tells_how_often_it_was_tried() {
    let (result, requests) = status(vec![json("500 Internal Server Error", "{}")]).await;
    let error = result.unwrap_err();
    assert_eq!((requests, error.attempts()), (6, 6));
    assert!(
        error.to_string().contains(" after 6 attempts in "),
        "{error}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_start_that_may_have_taken_effect_is_not_sent_again() {
    for answer in [
        json("500 Internal Server Error", "{}"),
        json("503 Service Unavailable", "{}"),
        Vec::new(),
        json("200 OK", "<html>"),
    ] {
        let server = Server::start([answer]).await;
        let error = client(&server.url)
            .start_archive(&machine())
            .await
            .unwrap_err();
        assert_eq!(server.requests().len(), 1);
        assert!(error.is_outcome_unknown());
        assert!(
            error
                .to_string()
                .contains("the archive may have been started"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_a_start_is_definite_whatever_its_body_is() {
    let page = reply(
        "403 Forbidden",
        "Content-Type: text/html\r\n",
        "<title>Blocked</title>",
    );
    let cut =
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{".to_vec();
    for answer in [
        page,
        cut,
        reply("404 Not Found", "Content-Type: text/html\r\n", "<html>"),
        json("408 Request Timeout", "{}"),
        json("409 Conflict", "{}"),
    ] {
        let server = Server::start([answer]).await;
        let error = client(&server.url)
            .start_archive(&machine())
            .await
            .unwrap_err();
        assert_eq!(server.requests().len(), 1, "{error}");
        assert!(!error.is_outcome_unknown(), "{error}");
        assert!(!error.to_string().contains("may have been"), "{error}");
    }
}

/// Accepts connections for TLS, but never answers.
async fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (
        format!("https://{}", listener.local_addr().unwrap()),
        listener,
    )
}

#[tokio::test]
async fn a_start_for_which_no_connection_was_made_is_certainly_not_started() {
    let (url, _listener) = silent().await;
    let deadline = Instant::now() + Duration::from_millis(100);
    let client = builder(&url).retry(NeverRetry).build().unwrap();
    let client = client.with_deadline(Some(deadline));
    let error = client.start_archive(&machine()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.is_outcome_unknown(), "{error}");
    assert!(!error.to_string().contains("may have been"), "{error}");
}

#[tokio::test]
async fn a_start_that_is_dropped_may_have_been_sent_once_there_was_a_connection() {
    let (url, listener) = silent().await;
    let client = client(&url);
    let mut attempts = client.start_attempts(&machine());
    tokio::select! {
        sent = attempts.send() => panic!("{sent:?}"),
        accepted = listener.accept() => drop(accepted.unwrap()),
    }
    assert!(!attempts.may_have_been_sent());
    let url = url.replace("https", "http");
    let client = self::client(&url);
    let mut attempts = client.start_attempts(&machine());
    let received = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_u8().await.unwrap()
    };
    tokio::select! {
        sent = attempts.send() => panic!("{sent:?}"),
        first = received => assert_eq!(first, b'P'),
    }
    assert!(attempts.may_have_been_sent());
}

/// The head of a refusal is enough, even if the deadline passes before its body arrives.
#[tokio::test]
async fn a_refusal_whose_body_never_comes_is_definite() {
    let stalled = [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 999\r\n\r\n{".as_slice(),
        STALL,
    ]
    .concat();
    let server = Server::start([stalled]).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    let client = client(&server.url).with_deadline(Some(deadline));
    let error = client.start_archive(&machine()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(!error.is_outcome_unknown(), "{error}");
}

#[tokio::test]
async fn a_redirect_or_a_success_that_names_no_job_leaves_a_start_unknown() {
    for answer in [
        reply("302 Found", "Location: /done\r\n", ""),
        json("200 OK", r#"{"status":"complete"}"#),
        reply("202 Accepted", "", ""),
    ] {
        let server = Server::start([answer]).await;
        let error = client(&server.url).start_archive(&machine()).await;
        let error = error.unwrap_err();
        assert_eq!(server.requests().len(), 1, "{error}");
        assert!(error.is_outcome_unknown(), "{error}");
        assert_eq!(error.advice(), Some(Advice::LookForArchive));
    }
}

const STARTED: &str = r#"{ "id": "MmMvdcJpgDWrDgmLZ", "status": "complete" }"#;

#[tokio::test]
async fn a_start_by_steps_tells_what_was_sent() {
    let limited = reply("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
    let server = Server::start([limited, json("200 OK", STARTED)]).await;
    let mut attempts = client(&server.url).start_attempts(&machine());
    attempts.ready().await.unwrap();
    assert!(server.requests().is_empty());
    assert_eq!(attempts.send().await.unwrap(), None);
    assert_eq!(server.requests().len(), 1);
    attempts.ready().await.unwrap();
    attempts.ready().await.unwrap();
    assert_eq!(server.requests().len(), 1);
    let job = attempts.send().await.unwrap().unwrap();
    assert_eq!(job.id.as_str(), "MmMvdcJpgDWrDgmLZ");
    assert_eq!(server.requests().len(), 2);
}

/// A start that is cancelled during the wait after a 429 leaves nothing to clean up.
#[tokio::test]
async fn the_wait_after_a_429_is_before_the_next_attempt_and_can_be_dropped() {
    let limited = reply("429 Too Many Requests", "Retry-After: 300\r\n", "{}");
    let server = Server::start([limited, json("200 OK", STARTED)]).await;
    let mut attempts = client(&server.url).start_attempts(&machine());
    assert_eq!(attempts.send().await.unwrap(), None);
    let soon = Duration::from_millis(20);
    assert!(tokio::time::timeout(soon, attempts.ready()).await.is_err());
    assert_eq!(server.requests().len(), 1);
}

/// Answers every request of every connection with a job, and keeps the connections open.
async fn keep_alive_server() -> (String, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            connections.spawn(async move {
                let mut head = Vec::new();
                while socket
                    .read_buf(&mut head)
                    .await
                    .is_ok_and(|bytes| bytes > 0)
                {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let length = JOB.len();
                        let answer =
                            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{JOB}");
                        socket.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    (url, opened, serving)
}

/// If a server closed an idle connection just as it is used, the start's outcome would be unknown.
#[tokio::test]
async fn a_start_uses_a_connection_of_its_own() {
    let (url, opened, serving) = keep_alive_server().await;
    let client = client(&url);
    client.archive_status(&job()).await.unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    client.start_archive(&machine()).await.unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    client.start_archive(&machine()).await.unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 3);
    serving.abort();
}

#[tokio::test]
async fn a_start_is_sent_again_on_429_alone() {
    let started =
        r#"{ "id": "MmMvdcJpgDWrDgmLZ", "status": "complete", "workspaceId": "DEFAULT" }"#;
    let limited = reply("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
    let server = Server::start([limited, json("200 OK", started)]).await;
    let job = client(&server.url).start_archive(&machine()).await.unwrap();
    assert_eq!(job.id.as_str(), "MmMvdcJpgDWrDgmLZ");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].starts_with("POST /api/v3/machines/archive/g56RCoZCtzv7borvp HTTP"));
}

#[tokio::test]
async fn a_refused_connection_is_repeated_even_for_a_start_and_leaves_nothing_unknown() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let error = client(&url).start_archive(&machine()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 6));
    assert!(!error.is_outcome_unknown());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("refused"), "{cause}");
    assert!(!cause.contains("http://"), "{cause}");
}

#[tokio::test]
async fn a_redirect_of_the_api_is_reported_and_never_followed() {
    let thief = Server::start([json("200 OK", JOB)]).await;
    let location = format!("Location: {}/steal?token=5ig\r\n", thief.url);
    for line in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let error = failed_status(reply(line, &location, "")).await;
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert!(
            error.to_string().contains("it points to http://127.0.0.1"),
            "{error}"
        );
        assert!(!error.to_string().contains("5ig"), "{error}");
    }
    let relative = reply("302 Found", "Location: /login?next=5ig\r\n", "");
    let error = failed_status(relative).await.to_string();
    assert!(
        error.contains("elsewhere on the same host") && !error.contains("5ig"),
        "{error}"
    );
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let stalled = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".as_slice(),
        STALL,
    ]
    .concat();
    let server = Server::start([stalled]).await;
    let client = builder(&server.url)
        .retry(NeverRetry)
        .read_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = client.archive_status(&job()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[tokio::test]
async fn no_call_outlives_the_deadline() {
    let stalled = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".as_slice(),
        STALL,
    ]
    .concat();
    let server = Server::start([stalled]).await;
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = client(&server.url)
        .with_deadline(Some(deadline))
        .archive_status(&job())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    let limited = reply("429 Too Many Requests", "Retry-After: 30\r\n", "{}");
    let server = Server::start([limited]).await;
    let soon = Instant::now() + Duration::from_secs(10);
    let error = client(&server.url)
        .with_deadline(Some(soon))
        .machines()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 1)
    );
    assert!(error.to_string().contains("asks to wait 30 s"), "{error}");
}

#[tokio::test]
async fn what_one_call_is_told_to_wait_every_call_waits() {
    let limited = reply("429 Too Many Requests", "Retry-After: 60\r\n", "{}");
    let server = Server::start([limited]).await;
    let client = builder(&server.url).retry(NeverRetry);
    let client = client.build().unwrap();
    let error = client.machines().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let soon = Instant::now() + Duration::from_millis(50);
    let other = client.clone().with_deadline(Some(soon));
    let error = other
        .start_archive(&"m".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(!error.is_outcome_unknown(), "{error}");
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn many_calls_share_a_few_connections() {
    const AT_ONCE: usize = 32;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let (open, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let told = most.clone();
    // No request is answered before this many have arrived, and then all of them are.
    let asked = Arc::new(Barrier::new(AT_ONCE));
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (open, most, asked) = (open.clone(), most.clone(), asked.clone());
            connections.spawn(async move {
                let mut head = Vec::new();
                while socket
                    .read_buf(&mut head)
                    .await
                    .is_ok_and(|bytes| bytes > 0)
                {
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    head.clear();
                    most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    asked.wait().await;
                    open.fetch_sub(1, Ordering::SeqCst);
                    let (status, length) = ("HTTP/1.1 200 OK", JOB.len());
                    let answer = format!("{status}\r\nContent-Length: {length}\r\n\r\n{JOB}");
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let mut calls = JoinSet::new();
    for _ in 0..10 * AT_ONCE {
        let client = client.clone();
        calls.spawn(async move { client.archive_status(&job()).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(told.load(Ordering::SeqCst), AT_ONCE);
    serving.abort();
}

#[tokio::test]
async fn a_probe_asks_once_and_compares_clocks_whatever_the_answer_is() {
    let old = "Date: Mon, 23 Nov 2020 12:00:00 GMT\r\n";
    for (status, body) in [("200 OK", "[]"), ("503 Service Unavailable", "")] {
        let server = Server::start([reply(status, old, body)]).await;
        let probe = client(&server.url).probe().await;
        assert_eq!(probe.machines.is_ok(), status == "200 OK");
        assert!(probe.clock_skew.unwrap() > 5 * 365 * 86_400);
        assert_eq!(server.requests().len(), 1);
    }
    let server = Server::start([json("200 OK", "[]")]).await;
    assert_eq!(client(&server.url).probe().await.clock_skew, None);
}
