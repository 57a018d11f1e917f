//! Plain HTTP to anybody but Tulip: a store's API, for example.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tulip_core::NetworkOptions;

use super::build::{HttpOptions, OWN_NAME};
use super::build_error::BuildError;
use super::failure::{Failure, FailureKind};
use super::proxy::Proxies;

/// Larger pieces of a body are sent in slices of this many bytes, so that silence is told from a
/// slow line.
const SLICE: usize = 64 * 1024;

/// A limit beyond what clocks can tell is none: this is as good.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// An HTTP client that knows nothing of Tulip: it has the certificate authorities, the proxy and
/// the timeouts of a [`Client`](crate::Client), and none of its credentials. It sends each request
/// once and follows no redirect.
///
/// A request as a whole may take as long as it takes; it is given up when its server is silent,
/// or takes nothing of the body, for [`NetworkOptions::stall_timeout`].
#[derive(Debug, Clone)]
pub struct Transport {
    /// By the proxy of the environment, where there is one.
    proxied: reqwest::Client,
    direct: reqwest::Client,
    stall: Duration,
}

impl Transport {
    /// A client that reaches the network as `options` say.
    ///
    /// # Errors
    /// [`BuildError`] when the CA file, TLS or a proxy variable cannot be used.
    pub fn new(options: &NetworkOptions) -> Result<Self, BuildError> {
        let agent = options.user_agent.as_deref().unwrap_or(OWN_NAME);
        let http = HttpOptions::new(options.ca_file.as_deref(), agent, options.connect_timeout)?;
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(BuildError::http);
        Ok(Self {
            proxied: build(Proxies::from_env()?.apply(http.builder()))?,
            direct: build(http.builder())?,
            stall: options.stall_timeout.min(LONGEST),
        })
    }

    /// Sends a request and gives the response as soon as its head is there.
    ///
    /// # Errors
    /// [`TransportError`] when there is no response; a status that tells of a failure is one.
    pub async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<TransportBody>, TransportError>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<reqwest::Url>();
        let url = url.map_err(|error| {
            let cause = format!("the address cannot be used: {error}");
            TransportError(Failure {
                kind: FailureKind::Connect,
                cause,
            })
        })?;
        let client = match url.host_str().is_some_and(is_near) {
            true => &self.direct,
            false => &self.proxied,
        };
        let progress = Arc::new(Progress::new());
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(Watched {
            body,
            rest: Bytes::new(),
            progress: progress.clone(),
        }));
        let mut sending = std::pin::pin!(client.execute(request));
        loop {
            let limit = progress.last() + self.stall;
            tokio::select! {
                biased;
                answer = &mut sending => {
                    let response = answer.map_err(TransportError::new)?;
                    let (parts, body) = Response::from(response).into_parts();
                    return Ok(Response::from_parts(parts, TransportBody {
                        body,
                        stall: self.stall,
                        idle: Box::pin(sleep_until(Instant::now() + self.stall)),
                        waiting: false,
                    }));
                }
                () = sleep_until(limit) => {
                    if progress.last() + self.stall <= Instant::now() {
                        return Err(TransportError::stalled(self.stall));
                    }
                }
            }
        }
    }
}

/// This machine, and the metadata services of clouds: no proxy can reach these for us.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => matches!(bare, "localhost" | "metadata.google.internal"),
    }
}

/// When the body of a request was last asked for more.
#[derive(Debug)]
struct Progress {
    started: Instant,
    millis: AtomicU64,
}

impl Progress {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    fn touch(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// A body that tells when it is read, and is read in slices.
struct Watched<B> {
    body: B,
    rest: Bytes,
    progress: Arc<Progress>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.progress.touch();
        let this = &mut *self;
        if this.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let slice = this.rest.split_to(this.rest.len().min(SLICE));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct TransportBody {
    body: reqwest::Body,
    stall: Duration,
    idle: Pin<Box<Sleep>>,
    /// Whether the next bytes are being waited for. Time in which nobody asks for them is no
    /// silence.
    waiting: bool,
}

impl Body for TransportBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(TransportError::new)));
        }
        if !this.waiting {
            this.waiting = true;
            this.idle.as_mut().reset(Instant::now() + this.stall);
        }
        std::task::ready!(this.idle.as_mut().poll(cx));
        Poll::Ready(Some(Err(TransportError::stalled(this.stall))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a request of a [`Transport`] has no response. Holds no URL.
#[derive(Debug)]
pub struct TransportError(pub(crate) Failure);

impl TransportError {
    fn new(error: reqwest::Error) -> Self {
        Self(Failure::new(error))
    }

    fn stalled(limit: Duration) -> Self {
        Self(Failure {
            kind: FailureKind::Timeout,
            cause: format!("no progress for {} s", limit.as_secs_f32()),
        })
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.kind {
            FailureKind::Tls => "no trusted TLS connection",
            FailureKind::Connect => "no connection",
            FailureKind::Timeout => "no answer in time",
            _ => "the connection broke",
        };
        write!(f, "{what}: {}", self.0.cause)
    }
}

impl StdError for TransportError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_needs_no_proxy() {
        for host in [
            "127.0.0.1",
            "[::1]",
            "localhost",
            "169.254.169.254",
            "[fe80::1]",
            "metadata.google.internal",
        ] {
            assert!(is_near(host), "{host}");
        }
        for host in ["10.0.0.1", "s3.eu-west-1.amazonaws.com", "[2001:db8::1]"] {
            assert!(!is_near(host), "{host}");
        }
    }
}
