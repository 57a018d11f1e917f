//! The part of Azure Blob Storage that an export uses: blobs, block lists, metadata, conditions.
//! Requests need no signature.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use crate::{Loss, Rule, Seen, closed};

type Answer = Response<Full<Bytes>>;

/// A server with the container `lake` of the account `devstoreaccount1`. It ends with the runtime
/// in which it was started.
pub struct AzureServer {
    /// Its URL, including the account.
    pub endpoint: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    blobs: Mutex<BTreeMap<String, Blob>>,
    /// Uncommitted blocks, by blob and id.
    blocks: Mutex<BTreeMap<(String, String), Bytes>>,
    loses: Mutex<Option<Rule<Loss>>>,
}

#[derive(Clone)]
struct Blob {
    bytes: Bytes,
    metadata: HeaderMap,
}

impl AzureServer {
    /// Starts a server.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let served = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = served.clone();
                let answer = service_fn(move |request| {
                    let state = state.clone();
                    async move { state.answer(request).await.ok_or_else(closed) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), answer));
            }
        });
        Self {
            endpoint: format!("http://{address}/devstoreaccount1"),
            state,
        }
    }

    /// Loses the answers to requests, which are carried out, if `rule` returns a loss.
    pub fn lose(&self, rule: impl FnMut(&Seen) -> Option<Loss> + Send + 'static) {
        *self.state.loses.lock().unwrap() = Some(Box::new(rule));
    }

    /// The content of a blob; `None` if there is none.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Bytes> {
        let blobs = self.state.blobs.lock().unwrap();
        blobs.get(key).map(|blob| blob.bytes.clone())
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Option<Answer> {
        let seen = Seen::of(&request);
        let (head, body) = request.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let path = head
            .uri
            .path()
            .trim_start_matches("/devstoreaccount1/lake/");
        let key = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let query = head.uri.query().unwrap_or_default();
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.clone().find(|(found, _)| *found == name);
            found.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
        };
        let answer = match (&head.method, value("comp").as_deref()) {
            (&Method::PUT, Some("block")) => self.put_block(key, value("blockid"), body),
            (&Method::PUT, Some("blocklist")) => self.put_blocks(key, &head.headers, &body),
            (&Method::PUT, None) => self.put(key, &head.headers, body),
            (&Method::GET | &Method::HEAD, None) => self.get(&key, head.method == Method::HEAD),
            (&Method::DELETE, None) => {
                self.blobs.lock().unwrap().remove(&key);
                plain(202)
            }
            _ => refused(501, "NotImplemented"),
        };
        let loss = self
            .loses
            .lock()
            .unwrap()
            .as_mut()
            .and_then(|rule| rule(&seen));
        match loss {
            None => Some(answer),
            Some(Loss::ServerError) => Some(refused(500, "InternalError")),
            Some(Loss::Closed) => None,
        }
    }

    fn put_block(&self, key: String, id: Option<String>, body: Bytes) -> Answer {
        let id = id.unwrap_or_default();
        self.blocks.lock().unwrap().insert((key, id), body);
        plain(201)
    }

    fn put_blocks(&self, key: String, headers: &HeaderMap, list: &[u8]) -> Answer {
        let list = String::from_utf8_lossy(list);
        let mut blocks = self.blocks.lock().unwrap();
        let mut bytes = Vec::new();
        for id in list.split("<Uncommitted>").skip(1) {
            let id = id.split("</").next().unwrap_or_default().to_owned();
            match blocks.get(&(key.clone(), id)) {
                Some(block) => bytes.extend_from_slice(block),
                None => return refused(400, "InvalidBlockList"),
            }
        }
        blocks.retain(|(blob, _), _| *blob != key);
        self.put(key, headers, bytes.into())
    }

    fn put(&self, key: String, headers: &HeaderMap, bytes: Bytes) -> Answer {
        let mut blobs = self.blobs.lock().unwrap();
        if headers.contains_key(IF_NONE_MATCH) && blobs.contains_key(&key) {
            return refused(409, "BlobAlreadyExists");
        }
        let metadata = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-ms-meta-"))
            .map(|(name, value)| (name.clone(), value.clone()));
        let blob = Blob {
            bytes,
            metadata: metadata.collect(),
        };
        blobs.insert(key, blob);
        plain(201)
    }

    fn get(&self, key: &str, is_head: bool) -> Answer {
        let Some(blob) = self.blobs.lock().unwrap().get(key).cloned() else {
            return refused(404, "BlobNotFound");
        };
        let mut answer = plain(200);
        answer.headers_mut().extend(blob.metadata);
        let length = blob.bytes.len();
        answer.headers_mut().insert("content-length", length.into());
        if !is_head {
            *answer.body_mut() = Full::new(blob.bytes);
        }
        answer
    }
}

fn plain(status: u16) -> Answer {
    Response::builder()
        .status(status)
        .header("etag", "\"0x8D\"")
        .header("last-modified", "Mon, 23 Nov 2026 01:02:03 GMT")
        .body(Full::default())
        .unwrap()
}

fn refused(status: u16, code: &str) -> Answer {
    let xml = format!("<Error><Code>{code}</Code><Message>said the test</Message></Error>");
    Response::builder()
        .status(status)
        .body(Full::new(xml.into()))
        .unwrap()
}

impl std::fmt::Debug for AzureServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AzureServer({})", self.endpoint)
    }
}
