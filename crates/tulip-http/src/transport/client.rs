//! Plain HTTP to servers other than Tulip, for example a store's API.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tulip_core::NetworkOptions;

use super::build::{HttpOptions, OWN_NAME};
use super::build_error::BuildError;
use super::proxy::Proxies;
use super::transport_error::{TransportError, error_for_status};
use super::watched::{Progress, Watched};

/// As good as no limit; much longer ones overflow an `Instant`.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// An HTTP client that knows nothing of Tulip: it has the certificate authorities, the proxy and
/// the timeouts of a [`Client`](crate::Client), but not its credentials. It sends each request once
/// and follows no redirects.
///
/// A request as a whole has no time limit. It fails if its server is silent, or takes nothing of
/// the body, for [`NetworkOptions::read_timeout`]. Time in which the body itself has nothing to
/// send does not count.
#[derive(Debug, Clone)]
pub struct Transport {
    /// Uses the environment's proxy, if there is one.
    proxied: reqwest::Client,
    direct: reqwest::Client,
    pub(super) read_timeout: Duration,
}

impl Transport {
    /// Creates a client that reaches the network as `options` say.
    ///
    /// # Errors
    /// [`BuildError`] if the CA file, TLS or a proxy variable cannot be used.
    pub fn new(options: &NetworkOptions) -> Result<Self, BuildError> {
        let agent = options.user_agent.as_deref().unwrap_or(OWN_NAME);
        let http = HttpOptions::new(options.ca_file.as_deref(), agent, options.connect_timeout)?;
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(BuildError::http);
        Ok(Self {
            proxied: build(Proxies::from_env()?.apply(http.builder()))?,
            direct: build(http.builder())?,
            read_timeout: options.read_timeout.min(LONGEST),
        })
    }

    /// Sends a request and returns the response as soon as its head has arrived.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response. A response with an error status is not an error.
    pub async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<TransportBody>, TransportError>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.send_watched(request, Arc::new(Progress::new())).await
    }

    /// Sends a request without a body. An error status is an error.
    ///
    /// ```no_run
    /// use tulip_core::NetworkOptions;
    /// use tulip_http::{Transport, http::Request};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let transport = Transport::new(&NetworkOptions::default())?;
    ///     let folder = Request::builder().method("MKCOL").uri("http://nas:8080/archives");
    ///     transport.request(folder).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Transport::send`] and [`error_for_status`], and if the builder's parts do not make a
    /// request.
    pub async fn request(
        &self,
        request: request::Builder,
    ) -> Result<Response<TransportBody>, TransportError> {
        let request = request.body(String::new());
        let request = request.map_err(|error| TransportError::unusable(&error))?;
        error_for_status(self.send(request).await?)
    }

    /// Like [`Transport::request`], but `status` is not an error: for example 404 when an object is
    /// removed, or 405 when a WebDAV folder is made that already exists.
    ///
    /// # Errors
    /// As [`Transport::request`].
    pub async fn request_unless(
        &self,
        status: StatusCode,
        request: request::Builder,
    ) -> Result<(), TransportError> {
        match self.request(request).await {
            Err(error) if error.status() == Some(status) => Ok(()),
            answered => answered.map(drop),
        }
    }

    /// Like [`Transport::send`], but the caller sees the body's progress too.
    pub(super) async fn send_watched<B>(
        &self,
        request: Request<B>,
        progress: Arc<Progress>,
    ) -> Result<Response<TransportBody>, TransportError>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<reqwest::Url>();
        let url = url.map_err(|error| TransportError::unusable(&error))?;
        let client = match url.host_str().is_some_and(is_near) {
            true => &self.direct,
            false => &self.proxied,
        };
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(Watched::new(body, progress.clone())));
        let mut sending = std::pin::pin!(client.execute(request));
        loop {
            let limit = progress.limit(self.read_timeout);
            tokio::select! {
                biased;
                answer = &mut sending => {
                    let response = answer.map_err(TransportError::of)?;
                    let (parts, body) = Response::from(response).into_parts();
                    return Ok(Response::from_parts(parts, TransportBody {
                        body,
                        read_timeout: self.read_timeout,
                        idle: Box::pin(sleep_until(Instant::now() + self.read_timeout)),
                        waiting: false,
                    }));
                }
                () = sleep_until(limit) => {
                    if progress.limit(self.read_timeout) <= Instant::now() {
                        return Err(TransportError::read_timed_out(self.read_timeout));
                    }
                }
            }
        }
    }
}

/// Whether `host` is this machine or a cloud's metadata service, which no proxy can reach for us.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => matches!(bare, "localhost" | "metadata.google.internal"),
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct TransportBody {
    body: reqwest::Body,
    read_timeout: Duration,
    idle: Pin<Box<Sleep>>,
    /// Whether somebody is waiting for the next bytes. Time in which nobody asks for them does not
    /// count as silence.
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
            return Poll::Ready(frame.map(|frame| frame.map_err(TransportError::of)));
        }
        if !this.waiting {
            this.waiting = true;
            this.idle.as_mut().reset(Instant::now() + this.read_timeout);
        }
        std::task::ready!(this.idle.as_mut().poll(cx));
        Poll::Ready(Some(Err(TransportError::read_timed_out(this.read_timeout))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

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
