//! A server that answers each connection with the next scripted bytes and keeps the requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tulip_core::{Credentials, InstanceUrl};
use tulip_http::{Client, ClientBuilder, ExponentialBackoff, Settings};

pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers one connection with each of `replies`; the last is repeated.
    pub(crate) async fn start<R: Into<Vec<u8>>>(replies: impl IntoIterator<Item = R>) -> Self {
        let replies: Vec<Vec<u8>> = replies.into_iter().map(Into::into).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            for turn in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match socket.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                let reply = &replies[turn.min(replies.len() - 1)];
                let _ = socket.write_all(reply).await;
                if reply.ends_with(STALL) {
                    // Held open until the test drops the server.
                    std::future::pending::<()>().await;
                }
            }
        });
        Self {
            url,
            requests,
            task,
        }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends a reply after which the server keeps the connection open but sends nothing more.
pub(crate) const STALL: &[u8] = b"\0stall";

pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into()
}

pub(crate) fn json(status: &str, body: &str) -> Vec<u8> {
    reply(status, "Content-Type: application/json\r\n", body)
}

pub(crate) fn builder(url: &str) -> ClientBuilder {
    let instance: InstanceUrl = url.parse().unwrap();
    let credentials = Credentials::new("apikey.2_a", "s3cret").unwrap();
    let fast = ExponentialBackoff::default().delays(Duration::ZERO, Duration::ZERO);
    Client::builder(Settings::new(instance, credentials)).retry(fast)
}

pub(crate) fn client(url: &str) -> Client {
    builder(url).build().unwrap()
}
