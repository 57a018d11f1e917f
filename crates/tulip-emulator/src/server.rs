//! Accepting connections, and closing them all at the end.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::{Body, Cutter};

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
        cutter: Cutter,
    ) -> impl Future<Output = Result<Response, Hangup>> + Send;
}

/// A running server; it stops when this is dropped.
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

/// Connections end with the set that holds them, which ends with this task.
async fn accept(listener: TcpListener, handler: Arc<impl Handler>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&handler)));
            }
            Err(error) => {
                // Too many open files, most likely: some will be closed.
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
    let cutter = Cutter::default();
    let wire = Wire {
        stream: TokioIo::new(stream),
        cutter: cutter.clone(),
    };
    let service = service_fn(|request| Arc::clone(&handler).answer(request, cutter.clone()));
    if let Err(error) = http1::Builder::new().serve_connection(wire, service).await {
        tracing::debug!(%error, "a connection has ended early");
    }
}

/// A connection that fails at the first flush after it has been cut: by then, everything before
/// the cut has been sent.
struct Wire {
    stream: TokioIo<TcpStream>,
    cutter: Cutter,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Ok(())) if self.cutter.is_cut() => {
                Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
            }
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}
