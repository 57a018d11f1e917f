//! A client that knows nothing about the emulator's internals.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tulip_core::{Credentials, JobId};
use tulip_emulator::Emulator;

pub(crate) fn http() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}

pub(crate) struct Api {
    pub(crate) http: Client,
    base: String,
    credentials: Credentials,
}

impl Api {
    pub(crate) fn new(emulator: &Emulator) -> Self {
        Self::with(emulator, emulator.credentials())
    }

    pub(crate) fn with(emulator: &Emulator, credentials: Credentials) -> Self {
        Self {
            http: http(),
            base: emulator.base_url().to_string(),
            credentials,
        }
    }

    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn call(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let header = self.credentials.basic_header();
        let request = self.bare(method, path).header("Authorization", &*header);
        json(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path).await
    }

    pub(crate) async fn status(&self, job: &JobId) -> Value {
        let (status, body) = self
            .get(&format!("/api/v3/machines/archive/csv/{job}"))
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Starts an archive of the first machine.
    pub(crate) async fn start(&self, emulator: &Emulator) -> (JobId, Value) {
        let machine = &emulator.machine_ids()[0];
        let path = format!("/api/v3/machines/archive/{machine}");
        let (status, body) = self.call(Method::POST, &path).await;
        assert_eq!(status, 200, "{body}");
        (body["id"].as_str().unwrap().parse().unwrap(), body)
    }

    /// The download URL of a job that is complete at the next poll.
    pub(crate) async fn resource(&self, job: &JobId) -> String {
        self.status(job).await["resource"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub(crate) async fn json(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(
        header(response.headers(), "content-type"),
        "application/json"
    );
    (status, response.json().await.unwrap())
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// Sends a GET request over its own connection. Returns all bytes until the connection ends, and
/// how it ends.
pub(crate) async fn raw(url: &str, headers: &str) -> (String, std::io::Result<()>) {
    let (origin, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(origin).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {origin}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let ended = stream.read_to_end(&mut got).await;
    (
        String::from_utf8_lossy(&got).into_owned(),
        ended.map(|_| ()),
    )
}
