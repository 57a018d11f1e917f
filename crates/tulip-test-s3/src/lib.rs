//! An S3 server in this process: it verifies signatures, stores objects as files, records requests,
//! and refuses those that a test picks. It ends with the runtime in which it was started.
#![expect(clippy::unwrap_used, reason = "a test's server panics where it fails")]

mod authority;
mod azure;
mod google;
mod uploads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub use azure::AzureServer;

use authority::Authority;
use uploads::Uploads;

/// The access key that the server accepts.
pub const KEY_ID: &str = "TESTKEY";
/// Its secret.
pub const SECRET: &str = "test-secret";
/// The bucket that exists.
pub const BUCKET: &str = "lake";

type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How long a test waits for a request that must come: only a hang takes longer.
const LIMIT: Duration = Duration::from_secs(300);

/// How long parts in flight may delay an abort.
const SETTLES: Duration = Duration::from_secs(60);

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path and query, as sent.
    pub target: String,
    /// Its headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Seen {
    fn of<T>(request: &Request<T>) -> Self {
        Self {
            method: request.method().clone(),
            target: request.uri().to_string(),
            headers: request.headers().iter().map(text).collect(),
        }
    }

    /// Whether it uploads a part.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.method == Method::PUT && self.target.contains("partNumber=")
    }

    /// Whether it begins an upload.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        self.method == Method::POST && self.target.contains("?uploads")
    }

    /// Whether it aborts an upload.
    #[must_use]
    pub fn is_abort(&self) -> bool {
        self.method == Method::DELETE && self.target.contains("uploadId=")
    }
}

/// An answer instead of the server's: a status and an S3 error code, or a status and a whole body,
/// which begins with `<`.
pub type Refusal = (u16, &'static str);
type Rule<T> = Box<dyn FnMut(&Seen) -> Option<T> + Send>;

/// How the answer to a request that was carried out gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// A 500 is sent instead.
    ServerError,
    /// The connection is closed.
    Closed,
}

/// The error of a request whose answer is lost: it makes hyper close the connection.
fn closed() -> std::io::Error {
    std::io::Error::other("the test wants the answer lost")
}

struct State {
    rule: Mutex<Option<Rule<Refusal>>>,
    loses: Mutex<Option<Rule<Loss>>>,
    /// Whether objects are returned without their metadata.
    forgets_metadata: bool,
    /// Whether `If-None-Match` is ignored, as some servers do.
    forgets_conditions: bool,
    /// How many parts must be in flight at once before the first is accepted.
    gate: Option<usize>,
    google: bool,
    /// Whether answers to requests that begin an upload are held back.
    holds: watch::Sender<bool>,
    /// The requests whose answers are or were held back.
    held: watch::Sender<Vec<Seen>>,
    seen: watch::Sender<Vec<Seen>>,
    uploads: Uploads,
    parts: watch::Sender<Parts>,
}

/// The number of parts in flight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    now: usize,
    /// The most at once so far.
    pub most: usize,
}

/// A running server.
pub struct S3Server {
    /// Its URL.
    pub endpoint: String,
    authority: Option<Authority>,
    folder: TempDir,
    state: Arc<State>,
}

/// Sets up a server.
#[derive(Debug, Default)]
pub struct S3ServerBuilder {
    forgets_conditions: bool,
    forgets_metadata: bool,
    gate: Option<usize>,
    google: bool,
    tls: bool,
}

impl S3ServerBuilder {
    /// The server ignores `If-None-Match`, like some servers.
    #[must_use]
    pub fn forgets_conditions(mut self) -> Self {
        self.forgets_conditions = true;
        self
    }

    /// The server returns no metadata, like some servers.
    #[must_use]
    pub fn forgets_metadata(mut self) -> Self {
        self.forgets_metadata = true;
        self
    }

    /// Accepts no part before this many are in flight at once.
    #[must_use]
    pub fn gate(mut self, parts: usize) -> Self {
        self.gate = Some(parts);
        self
    }

    /// The server speaks the XML protocol of Google Cloud Storage and requires no credentials.
    #[must_use]
    pub fn google(mut self) -> Self {
        self.google = true;
        self
    }

    /// The server uses TLS, with a certificate from its own, untrusted authority.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the server on the current runtime.
    pub async fn start(self) -> S3Server {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut builder = S3ServiceBuilder::new(files);
        if !self.google {
            builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        }
        let service = builder.build();
        let state = Arc::new(State {
            rule: Mutex::default(),
            loses: Mutex::default(),
            forgets_metadata: self.forgets_metadata,
            forgets_conditions: self.forgets_conditions,
            gate: self.gate,
            google: self.google,
            holds: watch::Sender::default(),
            held: watch::Sender::default(),
            seen: watch::Sender::default(),
            uploads: Uploads::default(),
            parts: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let authority = self.tls.then(Authority::new);
        let tls = authority
            .as_ref()
            .map(|authority| authority.acceptor.clone());
        let scheme = if self.tls { "https" } else { "http" };
        // Ends with the test's runtime.
        let files = folder.path().to_owned();
        tokio::spawn(serve(listener, tls, files, service, state.clone()));
        S3Server {
            endpoint: format!("{scheme}://{address}"),
            authority,
            folder,
            state,
        }
    }
}

impl S3Server {
    /// Starts a server with the default settings.
    pub async fn start() -> Self {
        S3ServerBuilder::default().start().await
    }

    /// The certificate of a TLS server's authority, as a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.authority.as_ref().unwrap().file()
    }

    /// Answers instead of the server if `rule` returns a refusal.
    pub fn refuse(&self, rule: impl FnMut(&Seen) -> Option<Refusal> + Send + 'static) {
        *self.state.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Loses the answers to requests, which are carried out, if `rule` returns a loss.
    pub fn lose(&self, rule: impl FnMut(&Seen) -> Option<Loss> + Send + 'static) {
        *self.state.loses.lock().unwrap() = Some(Box::new(rule));
    }

    /// Holds back the answers to requests that begin an upload, or releases them. The uploads begin
    /// in any case.
    pub fn hold_beginnings(&self, hold: bool) {
        self.state.holds.send_replace(hold);
    }

    /// All requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.borrow().clone()
    }

    /// Waits until a wanted request has been seen.
    ///
    /// # Panics
    /// If it does not come within five minutes.
    pub async fn until(&self, wanted: impl Fn(&Seen) -> bool) {
        wait_for(&self.state.seen, wanted).await;
    }

    /// Waits until a wanted upload has begun whose answer is held back.
    ///
    /// # Panics
    /// If there is none within five minutes.
    pub async fn until_held(&self, wanted: impl Fn(&Seen) -> bool) {
        wait_for(&self.state.held, wanted).await;
    }

    /// Waits until no part is in flight. Parts of a killed client keep arriving for a moment.
    ///
    /// # Panics
    /// If parts are still in flight after five minutes.
    pub async fn until_idle(&self) {
        let mut parts = self.state.parts.subscribe();
        let idle = tokio::time::timeout(LIMIT, parts.wait_for(|parts| parts.now == 0)).await;
        idle.expect("parts are in flight for ever").unwrap();
    }

    /// The number of parts in flight.
    #[must_use]
    pub fn parts(&self) -> Parts {
        *self.state.parts.borrow()
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// The content of an object; `None` if there is none.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(key)).ok()
    }

    /// The keys of all objects, including staged ones.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let bucket = self.folder.path().join(BUCKET);
        let files = files(&bucket).into_iter();
        let mut keys: Vec<String> = files
            .map(|file| file.strip_prefix(&bucket).unwrap().display().to_string())
            .collect();
        keys.sort();
        keys
    }

    /// Stores an object without a request.
    pub fn put(&self, key: &str, content: &[u8]) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The paths of staged objects that still exist.
    #[must_use]
    pub fn staged(&self) -> Vec<String> {
        let staged = |file: &PathBuf| file.extension().is_some_and(|end| end == "partial");
        let files = files(self.folder.path()).into_iter().filter(staged);
        files.map(|file| file.display().to_string()).collect()
    }

    /// Adds an upload that began `ago` before now and that no client will end.
    pub fn orphan(&self, key: &str, ago: Duration) {
        self.state.uploads.orphan(key, ago);
    }

    /// The keys of the unfinished uploads, as the server lists them.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<String> {
        self.state.uploads.keys()
    }

    /// The names of the files that unfinished uploads have left.
    #[must_use]
    pub fn uploads(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(".upload"))
            .collect()
    }
}

async fn wait_for(all: &watch::Sender<Vec<Seen>>, wanted: impl Fn(&Seen) -> bool) {
    let mut all = all.subscribe();
    let found = all.wait_for(|all| all.iter().any(&wanted));
    let found = tokio::time::timeout(LIMIT, found).await;
    found.expect("the request never comes").unwrap();
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    files: PathBuf,
    service: S3Service,
    state: Arc<State>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let (files, service, state) = (files.clone(), service.clone(), state.clone());
        let answer = service_fn(move |request| {
            let (files, service, state) = (files.clone(), service.clone(), state.clone());
            // In its own task: a server finishes a request even if the client is gone.
            let answered = tokio::spawn(answer(request, files, service, state));
            async move { answered.await.unwrap().ok_or_else(closed) }
        });
        let tls = tls.clone();
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let Some(tls) = tls else {
                let _ = http.serve_connection(TokioIo::new(socket), answer).await;
                return;
            };
            if let Ok(socket) = tls.accept(socket).await {
                let _ = http.serve_connection(TokioIo::new(socket), answer).await;
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    files: PathBuf,
    service: S3Service,
    state: Arc<State>,
) -> Option<Response<Body>> {
    let seen = Seen::of(&request);
    let answer = done(&seen, request, files, service, state.clone()).await;
    let loss = state
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

async fn done(
    seen: &Seen,
    mut request: Request<Incoming>,
    files: PathBuf,
    service: S3Service,
    state: Arc<State>,
) -> Response<Body> {
    state.seen.send_modify(|all| all.push(seen.clone()));
    if state.forgets_conditions && request.headers().contains_key(IF_NONE_MATCH) {
        // Removes the object, so that the condition holds.
        let key = request.uri().path().trim_start_matches('/');
        let _ = std::fs::remove_file(files.join(key));
    }
    let refusal = state
        .rule
        .lock()
        .unwrap()
        .as_mut()
        .and_then(|rule| rule(seen));
    if let Some((status, code)) = refusal {
        // Reads the whole request before refusing it.
        let _ = request.into_body().collect().await;
        return refused(status, code);
    }
    if state.google
        && let Err(response) = google::translate(&mut request, &files)
    {
        return *response;
    }
    if seen.method == Method::GET && seen.target.contains("?uploads") {
        return state.uploads.listed(&seen.target);
    }
    if seen.is_abort() {
        // The underlying server would store a part that arrives after its upload was aborted.
        let mut parts = state.parts.subscribe();
        let _ = tokio::time::timeout(SETTLES, parts.wait_for(|parts| parts.now == 0)).await;
    }
    let part = seen.is_part().then(|| UnderWay::of(state.clone()));
    if let Some(gate) = state.gate.filter(|_| part.is_some()) {
        let mut parts = state.parts.subscribe();
        parts.wait_for(|parts| parts.most >= gate).await.unwrap();
    }
    let answer = service.call(request.map(s3s::Body::from)).await;
    let answer = match answer {
        Ok(response) => state.uploads.note(seen, response).await,
        Err(error) => panic!("the server fails: {error:?}"),
    };
    if seen.is_beginning() && *state.holds.borrow() {
        state.held.send_modify(|held| held.push(seen.clone()));
        let mut holds = state.holds.subscribe();
        holds.wait_for(|holds| !holds).await.unwrap();
    }
    drop(part);
    let mut answer = answer;
    if state.forgets_metadata {
        let headers = answer.headers_mut();
        let kept: Vec<HeaderName> = headers.keys().cloned().collect();
        for name in kept
            .iter()
            .filter(|name| name.as_str().starts_with("x-amz-meta-"))
        {
            headers.remove(name);
        }
    }
    if state.google {
        google::translate_back(answer.headers_mut());
    }
    answer
}

/// A part in flight, even if its client is gone.
struct UnderWay(Arc<State>);

impl UnderWay {
    fn of(state: Arc<State>) -> Self {
        state.parts.send_modify(|parts| {
            parts.now += 1;
            parts.most = parts.most.max(parts.now);
        });
        Self(state)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.parts.send_modify(|parts| parts.now -= 1);
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn text((name, value): (&HeaderName, &hyper::header::HeaderValue)) -> (String, String) {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    (name.to_string(), value)
}

fn refused(status: u16, code: &str) -> Response<Body> {
    let xml = match code.starts_with('<') {
        true => code.to_owned(),
        false => format!("<Error><Code>{code}</Code><Message>said the test</Message></Error>"),
    };
    let body = Full::new(Bytes::from(xml)).map_err(|never| match never {});
    Response::builder()
        .status(status)
        .body(body.boxed_unsync())
        .unwrap()
}

impl std::fmt::Debug for S3Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Server({})", self.endpoint)
    }
}
