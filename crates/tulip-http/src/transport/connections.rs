//! A count of a client's connections: if none was made, nothing was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

/// Counts connections once their proxy tunnel and TLS are ready. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<AtomicU64>);

/// A connector whose connections are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    connector: S,
    count: Arc<AtomicU64>,
}

impl Connections {
    /// Returns how many were made. The count grows before the first byte of a request is sent.
    pub(crate) fn made(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl<S> Layer<S> for Connections {
    type Service = Counted<S>;

    fn layer(&self, connector: S) -> Counted<S> {
        Counted {
            connector,
            count: self.0.clone(),
        }
    }
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (connecting, count) = (self.connector.call(request), self.count.clone());
        Box::pin(async move {
            let connection = connecting.await?;
            count.fetch_add(1, Ordering::AcqRel);
            Ok(connection)
        })
    }
}
