//! The connection beneath HTTP, for what HTTP alone would not do.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a connection does once everything handed to it has been sent.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// It closes.
    Close,
    /// It is reset: what the system has not sent yet is lost, and the other side meets an error.
    Reset,
    /// It sends these bytes, past what HTTP knows of.
    Send(Bytes),
}

/// Orders to the connection that carries a reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<Option<Order>>>);

impl Orders {
    pub(crate) fn give(&self, order: Order) {
        *self.slot() = Some(order);
    }

    fn take(&self) -> Option<Order> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that carries orders out when it is flushed: by then, everything before them has
/// been sent.
pub(crate) struct Wire {
    stream: TokioIo<TcpStream>,
    orders: Orders,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, orders: Orders) -> Self {
        Self {
            stream: TokioIo::new(stream),
            orders,
        }
    }
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
        loop {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            match self.orders.take() {
                None => return Poll::Ready(Ok(())),
                Some(Order::Close) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                Some(Order::Reset) => {
                    self.stream.inner().set_zero_linger()?;
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(Order::Send(mut bytes)) => {
                    let written = Pin::new(&mut self.stream).poll_write(context, &bytes);
                    if let Poll::Ready(Ok(sent)) = written {
                        bytes.advance(sent);
                    }
                    if !bytes.is_empty() {
                        self.orders.give(Order::Send(bytes));
                    }
                    ready!(written)?;
                }
            }
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
