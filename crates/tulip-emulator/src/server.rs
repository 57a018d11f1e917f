//! Accepting connections and closing them at the end.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::Body;
use crate::wire::{Orders, Wire};

pub(crate) type Request = http::Request<Incoming>;
pub(crate) type Response = http::Response<Body>;

/// No reply: the connection is closed instead.
#[derive(Debug)]
pub(crate) struct Hangup;

impl fmt::Display for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed without a reply")
    }
}

impl std::error::Error for Hangup {}

/// Answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    fn answer(
        self: Arc<Self>,
        request: Request,
        orders: Orders,
    ) -> impl Future<Output = Result<Response, Hangup>> + Send;
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<Infallible>);

impl Server {
    /// Must be called inside a tokio runtime.
    pub(crate) fn start(listener: TcpListener, handler: Arc<impl Handler>) -> Self {
        Self(tokio::spawn(accept(listener, handler)))
    }

    /// Stops and waits until the port is free again.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Accepts connections. All of them close when this task ends, since it owns their set.
async fn accept(listener: TcpListener, handler: Arc<impl Handler>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&handler)));
            }
            Err(error) => {
                // Most likely too many open files; wait for some to be closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, handler: Arc<impl Handler>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch TCP_NODELAY on");
    }
    let orders = Orders::default();
    let wire = Wire::new(stream, orders.clone());
    let service = service_fn(|request| Arc::clone(&handler).answer(request, orders.clone()));
    if let Err(error) = http1::Builder::new().serve_connection(wire, service).await {
        tracing::debug!(%error, "a connection has ended early");
    }
}
