//! The way to a store: our own transport in place of the store library's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tulip_http::{ErrorKind, Transport, TransportError};

/// How long the metadata service of a cloud may take: it is near, or it is not there.
const METADATA_LIMIT: Duration = Duration::from_secs(2);

/// Answers are small; one beyond this many bytes is not an answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// What a sink does to the requests and responses of its store.
#[async_trait]
pub(crate) trait Hook: fmt::Debug + Send + Sync + 'static {
    /// Changes a request that is about to be sent.
    async fn request(&self, request: &mut HttpRequest) -> Result<(), HttpError>;

    /// Whether the whole body of this request's response is wanted by [`Hook::response`].
    fn reads(&self, request: &HttpRequest) -> bool;

    /// Takes what it needs from a successful response, of which `body` is the whole where
    /// [`Hook::reads`] said so.
    fn response(&self, head: &mut http::response::Parts, body: Option<&Bytes>);
}

/// Sends a store's requests by a [`Transport`].
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    transport: Transport,
    hook: Option<Arc<dyn Hook>>,
}

impl Connector {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            hook: None,
        }
    }

    #[cfg(any(feature = "s3", feature = "azure"))]
    pub(crate) fn with_hook(mut self, hook: impl Hook) -> Self {
        self.hook = Some(Arc::new(hook));
        self
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
        let Some(hook) = &self.hook else {
            return self.send(request).await;
        };
        hook.request(&mut request).await?;
        let reads = hook.reads(&request);
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        if !reads {
            hook.response(&mut head, None);
            return Ok(HttpResponse::from_parts(head, body));
        }
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body
            .map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?
            .to_bytes();
        hook.response(&mut head, Some(&body));
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

impl Connector {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.transport.send(request).await.map_err(from_transport)?;
        let (head, body) = response.into_parts();
        let body = HttpResponseBody::new(body.map_err(from_transport));
        Ok(HttpResponse::from_parts(head, body))
    }
}

fn is_metadata_service(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| host.starts_with("169.254."))
}

fn from_transport(error: TransportError) -> HttpError {
    let kind = match error.kind() {
        // Trying again cannot help: the kind is one that is not retried.
        ErrorKind::Tls => HttpErrorKind::Unknown,
        ErrorKind::Connect => HttpErrorKind::Connect,
        ErrorKind::Timeout => HttpErrorKind::Timeout,
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
