//! Requests to a store, over our own transport instead of `object_store`'s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tulip_http::{ErrorKind, Transport, TransportError};

use super::pages::List;

/// How long a cloud's metadata service may take: it is near, or it is not there.
const METADATA_LIMIT: Duration = Duration::from_secs(2);

/// The most bytes of an answer that is read whole. Such answers are small.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A sink's hook into the requests and responses of its store.
#[async_trait]
pub(super) trait Interceptor: Send + Sync + 'static {
    /// Changes a request that is about to be sent.
    async fn request(&self, request: &mut HttpRequest) -> Result<(), HttpError>;

    /// Whether [`Interceptor::response`] needs the whole body of this request's response.
    fn reads(&self, request: &HttpRequest) -> bool {
        let _ = request;
        false
    }

    /// Takes what it needs from a successful response. `body` is the whole body if
    /// [`Interceptor::reads`] asked for it, else `None`.
    fn response(&self, head: &mut http::response::Parts, body: Option<&Bytes>) {
        let _ = (head, body);
    }
}

/// Sends a store's requests over a [`Transport`].
#[derive(Clone)]
pub(super) struct Connector {
    transport: Transport,
    interceptor: Option<Arc<dyn Interceptor>>,
}

impl fmt::Debug for Connector {
    /// Leaves out the interceptor, which may know credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            transport,
            interceptor: None,
        }
    }

    #[cfg(any(feature = "s3", feature = "azure"))]
    pub(super) fn intercepted(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptor = Some(Arc::new(interceptor));
        self
    }

    /// Sends a request of our own, once, and returns the whole answer.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<(StatusCode, Bytes), HttpError> {
        let (head, body) = self.send(request).await?.into_parts();
        Ok((head.status, whole(body).await?))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.transport.send(request).await.map_err(from_transport)?;
        let (head, body) = response.into_parts();
        let body = HttpResponseBody::new(body.map_err(from_transport));
        Ok(HttpResponse::from_parts(head, body))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if is_metadata_service(request.uri()) {
            let answer = tokio::time::timeout(METADATA_LIMIT, self.send(request)).await;
            return answer
                .unwrap_or_else(|elapsed| Err(HttpError::new(HttpErrorKind::Connect, elapsed)));
        }
        let interceptor = self.interceptor.as_ref();
        if let Some(interceptor) = interceptor {
            interceptor.request(&mut request).await?;
        }
        let list = List::of(&request);
        let is_read = interceptor.is_some_and(|interceptor| interceptor.reads(&request));
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        if list.is_none() && !is_read {
            if let Some(interceptor) = interceptor {
                interceptor.response(&mut head, None);
            }
            return Ok(HttpResponse::from_parts(head, body));
        }
        let mut body = whole(body).await?;
        if let Some(list) = list {
            let broken = |broken| HttpError::new(HttpErrorKind::Decode, broken);
            body = list.read(body).map_err(broken)?;
        }
        if let Some(interceptor) = interceptor {
            interceptor.response(&mut head, is_read.then_some(&body));
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

/// Reads a whole answer.
async fn whole(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?;
    Ok(body.to_bytes())
}

fn is_metadata_service(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| host.starts_with("169.254."))
}

fn from_transport(error: TransportError) -> HttpError {
    let kind = match error.kind() {
        // A retry cannot help, so this is a kind that is not retried.
        ErrorKind::Tls => HttpErrorKind::Unknown,
        ErrorKind::Connect => HttpErrorKind::Connect,
        ErrorKind::Timeout => HttpErrorKind::Timeout,
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
