//! The way to a store: our own transport in place of the store library's.

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

use crate::cloud::answer::tag;
use crate::object::target::UploadId;

/// How long the metadata service of a cloud may take: it is near, or it is not there.
const METADATA_LIMIT: Duration = Duration::from_secs(2);

/// Answers are small; one beyond this many bytes is not an answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// What a sink does to the requests and responses of its store.
#[async_trait]
pub(crate) trait Hook: Send + Sync + 'static {
    /// Changes a request that is about to be sent.
    async fn request(&self, request: &mut HttpRequest) -> Result<(), HttpError>;

    /// Whether the whole body of this request's response is wanted by [`Hook::response`].
    fn reads(&self, request: &HttpRequest) -> bool;

    /// Takes what it needs from a successful response, of which `body` is the whole where
    /// [`Hook::reads`] said so.
    fn response(&self, head: &mut http::response::Parts, body: Option<&Bytes>);
}

/// Sends a store's requests by a [`Transport`].
#[derive(Clone)]
pub(crate) struct Connector {
    transport: Transport,
    hook: Option<Arc<dyn Hook>>,
}

impl fmt::Debug for Connector {
    /// Leaves out the hook, which may know credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
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
        if let Some(hook) = &self.hook {
            hook.request(&mut request).await?;
        }
        let begins = request.extensions().get::<UploadId>().cloned();
        let reads = self.hook.as_ref().is_some_and(|hook| hook.reads(&request));
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        if !reads && begins.is_none() {
            if let Some(hook) = &self.hook {
                hook.response(&mut head, None);
            }
            return Ok(HttpResponse::from_parts(head, body));
        }
        let body = whole(body).await?;
        if let Some(id) = begins
            && let Some(given) = std::str::from_utf8(&body).ok().and_then(upload_id)
        {
            id.set(given);
        }
        if let Some(hook) = &self.hook {
            hook.response(&mut head, reads.then_some(&body));
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

/// All of an answer.
async fn whole(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?;
    Ok(body.to_bytes())
}

/// The id in the answer to the beginning of an upload.
fn upload_id(answer: &str) -> Option<&str> {
    tag(answer, "UploadId").filter(|id| !id.is_empty())
}

impl Connector {
    /// Sends a request of our own, once, and gives the whole answer.
    pub(crate) async fn ask(&self, request: HttpRequest) -> Result<(StatusCode, Bytes), HttpError> {
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
