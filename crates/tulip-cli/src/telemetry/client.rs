//! The HTTP client of the exporters: our transport, with its CA file and proxy.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use tulip_core::sink::async_trait;
use tulip_http::Transport;

use crate::failure::chain;

/// The maximum size of a reply, in bytes.
const REPLY: usize = 1 << 20;

/// A client over [`Transport`] that remembers the last error, because the exporters do not report
/// it.
#[derive(Clone)]
pub(super) struct OverTransport {
    transport: Transport,
    runtime: Handle,
    failed: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for OverTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverTransport").finish_non_exhaustive()
    }
}

impl OverTransport {
    /// Must be called within a runtime, which then runs the requests.
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            transport,
            runtime: Handle::current(),
            failed: Arc::default(),
        }
    }

    /// Why something could not be sent.
    pub(super) fn why(&self, error: Box<dyn StdError + Send + Sync>) -> String {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone().unwrap_or_else(|| chain(error.as_ref()))
    }
}

#[async_trait]
impl HttpClient for OverTransport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let transport = self.transport.clone();
        // Exporters also call this from their own threads.
        let sent = self.runtime.spawn(async move {
            let response = transport.send(request.map(Full::new)).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, REPLY).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        });
        let sent = sent.await.unwrap_or_else(|error| Err(error.into()));
        let failed = sent.as_ref().err().map(|error| chain(error.as_ref()));
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        sent
    }
}
