//! Request bodies that are written chunk by chunk.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkWriter, StoredObject};
use tulip_http::http::{Request, StatusCode};
use tulip_http::{Transport, Upload};

struct Server(TcpListener);

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    async fn connection(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }

    fn upload(&self, network: &NetworkOptions) -> Upload {
        let url = format!("http://{}/a.csv", self.0.local_addr().unwrap());
        Transport::new(network).unwrap().upload(Request::put(url))
    }
}

/// Reads until the text ends with `end`, or the connection closes.
async fn read_to(socket: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        match socket.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    text
}

async fn answer(socket: &mut TcpStream, status: &str) {
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.write_all(reply.as_bytes()).await.unwrap();
}

const WHOLE: &[u8] = b"\r\n0\r\n\r\n";

#[tokio::test]
async fn chunks_arrive_in_order_and_the_response_comes_at_the_end() {
    let server = Server::start().await;
    let mut upload = server.upload(&NetworkOptions::default());
    let received = tokio::spawn(async move {
        let mut socket = server.connection().await;
        let text = read_to(&mut socket, WHOLE).await;
        answer(&mut socket, "201 Created").await;
        String::from_utf8(text).unwrap()
    });
    for chunk in ["a,b\n", "", "1,2\n"] {
        upload.write(chunk.into()).await.unwrap();
    }
    let response = upload.finish().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let text = received.await.unwrap();
    assert!(text.starts_with("PUT /a.csv HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("a,b\n") && text.contains("1,2\n"), "{text}");
}

#[tokio::test]
async fn a_dropped_upload_does_not_end_its_body() {
    let server = Server::start().await;
    let mut upload = server.upload(&NetworkOptions::default());
    upload.write("a,b\n".into()).await.unwrap();
    let mut socket = server.connection().await;
    let begun = read_to(&mut socket, b"a,b\n\r\n").await;
    assert!(begun.ends_with(b"a,b\n\r\n"));
    drop(upload);
    assert_eq!(read_to(&mut socket, WHOLE).await, b"", "nothing follows");
}

#[tokio::test]
async fn an_answer_before_the_end_ends_the_upload_and_is_told() {
    let server = Server::start().await;
    let mut upload = server.upload(&NetworkOptions::default());
    let mut socket = server.connection().await;
    read_to(&mut socket, b"\r\n\r\n").await;
    answer(&mut socket, "507 Insufficient Storage").await;
    // Some writes may still be accepted before the answer is noticed.
    let error = loop {
        if let Err(error) = upload.write(Bytes::from(vec![b'x'; 100_000])).await {
            break error;
        }
    };
    assert_eq!(error.status(), Some(StatusCode::INSUFFICIENT_STORAGE));
    assert!(error.to_string().contains("507"), "{error}");
    assert!(upload.write("more".into()).await.is_err());
    assert!(upload.finish().await.is_err(), "an error stays an error");
}

#[tokio::test]
async fn an_early_answer_is_the_answer_of_an_upload_that_is_finished() {
    let server = Server::start().await;
    let mut upload = server.upload(&NetworkOptions::default());
    let mut socket = server.connection().await;
    read_to(&mut socket, b"\r\n\r\n").await;
    answer(&mut socket, "403 Forbidden").await;
    let response = upload.finish().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nobody_listening_is_an_error_of_the_write() {
    let server = Server::start().await;
    let mut upload = server.upload(&NetworkOptions::default());
    drop(server);
    let error = loop {
        if let Err(error) = upload.write("a,b\n".into()).await {
            break error;
        }
    };
    assert_eq!(error.status(), None);
}

#[tokio::test]
async fn a_server_that_takes_nothing_more_is_given_up() {
    let server = Server::start().await;
    let mut network = NetworkOptions::default();
    network.read_timeout = Duration::from_millis(200);
    let mut upload = server.upload(&network);
    let _unread = server.connection().await;
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let error = loop {
        if let Err(error) = upload.write(chunk.clone()).await {
            break error;
        }
    };
    assert!(error.to_string().contains("no progress"), "{error}");
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_of_the_write() {
    let transport = Transport::new(&NetworkOptions::default()).unwrap();
    let mut upload = transport.upload(Request::put("http://no host/a.csv"));
    let error = loop {
        if let Err(error) = upload.write("a,b\n".into()).await {
            break error;
        }
    };
    assert!(error.to_string().contains("cannot be made"), "{error}");
}

/// A staged upload, and the methods of its requests, each answered on a separate connection.
struct Scripted {
    writer: Box<dyn SinkWriter>,
    methods: JoinHandle<Vec<String>>,
}

impl Scripted {
    /// A writer that has written 4 bytes. The server answers the upload, and each request after it.
    async fn start(answers: &'static [&'static str]) -> Self {
        let server = Server::start().await;
        let url = format!("http://{}/a.csv", server.0.local_addr().unwrap());
        let transport = Transport::new(&NetworkOptions::default()).unwrap();
        let (put, delete) = (Request::put(&url), Request::delete(&url));
        let mover = transport.clone();
        let commit = async move {
            let rename = Request::builder().method("MOVE").uri(&url);
            mover.request(rename).await.map(drop)
        };
        let mut writer = transport.staged_upload(put, commit, delete);
        let methods = tokio::spawn(async move {
            let mut methods = Vec::new();
            for (nth, status) in answers.iter().enumerate() {
                let mut socket = server.connection().await;
                let end = if nth == 0 { WHOLE } else { b"\r\n\r\n" };
                let text = String::from_utf8(read_to(&mut socket, end).await).unwrap();
                methods.extend(text.split(' ').next().map(str::to_owned));
                answer(&mut socket, status).await;
            }
            methods
        });
        writer.write("a,b\n".into()).await.unwrap();
        Self { writer, methods }
    }

    async fn close(self) -> (Result<StoredObject, SinkError>, Vec<String>) {
        let closed = self.writer.close().await;
        (closed, self.methods.await.unwrap())
    }
}

#[tokio::test]
async fn a_staged_upload_is_committed_once_the_server_has_it() {
    let it = Scripted::start(&["201 Created", "201 Created"]).await;
    let (stored, methods) = it.close().await;
    assert_eq!(stored.unwrap().bytes, 4);
    assert_eq!(methods, ["PUT", "MOVE"]);
}

#[tokio::test]
async fn a_staged_upload_that_is_refused_is_discarded_and_not_committed() {
    let it = Scripted::start(&["507 Insufficient Storage", "204 No Content"]).await;
    let (stored, methods) = it.close().await;
    let error = stored.unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::StorageFull, "{error}");
    assert_eq!(methods, ["PUT", "DELETE"]);
}

#[tokio::test]
async fn a_commit_that_fails_is_the_error_even_if_the_discard_fails_too() {
    let answers = &["201 Created", "412 Precondition Failed", "403 Forbidden"];
    let (stored, methods) = Scripted::start(answers).await.close().await;
    let error = stored.unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    assert_eq!(methods, ["PUT", "MOVE", "DELETE"]);
}

#[tokio::test]
async fn an_abort_discards_and_tells_what_stays() {
    const ANSWERS: [(&[&str], bool); 3] = [
        (&["201 Created", "204 No Content"], false),
        (&["201 Created", "404 Not Found"], false),
        (&["201 Created", "403 Forbidden"], true),
    ];
    for (answers, stays) in ANSWERS {
        let it = Scripted::start(answers).await;
        let aborted = it.writer.abort().await;
        assert_eq!(aborted.is_err(), stays, "{answers:?}: {aborted:?}");
        assert_eq!(it.methods.await.unwrap(), ["PUT", "DELETE"]);
    }
}

#[tokio::test]
async fn a_request_whose_status_tells_of_a_failure_is_one() {
    for (status, fails) in [("204 No Content", false), ("404 Not Found", true)] {
        let server = Server::start().await;
        let url = format!("http://{}/a.csv", server.0.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            let mut socket = server.connection().await;
            read_to(&mut socket, b"\r\n\r\n").await;
            answer(&mut socket, status).await;
        });
        let transport = Transport::new(&NetworkOptions::default()).unwrap();
        let answered = transport.request(Request::delete(url)).await;
        let told = answered.err().and_then(|error| error.status());
        assert_eq!(told, fails.then_some(StatusCode::NOT_FOUND));
        answering.await.unwrap();
    }
}
