//! The connection below HTTP, for faults that hyper cannot produce.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// It is reset: data that the system has not sent yet is lost, and the peer gets an error.
    Reset,
    /// It sends these bytes, which HTTP knows nothing of.
    Send(Bytes),
}

/// hyper writes only its own `Transfer-Encoding`. A header with this name, which has the same
/// length, gets through, and the connection replaces it with the real name.
const PLACEHOLDER: &str = "transfer_encoding";
const TRANSFER_ENCODING: &str = "transfer-encoding";

/// Orders to the connection that carries a reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders {
    order: Arc<Mutex<Option<Order>>>,
    /// Whether the next head has a [`PLACEHOLDER`].
    has_placeholder: Arc<AtomicBool>,
}

impl Orders {
    pub(crate) fn give(&self, order: Order) {
        *self.slot() = Some(order);
    }

    fn take(&self) -> Option<Order> {
        self.slot().take()
    }

    /// Returns the name with which a header reaches the client as `Transfer-Encoding`.
    pub(crate) fn transfer_encoding(&self) -> &'static str {
        self.has_placeholder.store(true, Ordering::Release);
        PLACEHOLDER
    }

    /// Returns what to write instead of `bytes`; it has the same length.
    fn renamed<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.has_placeholder.load(Ordering::Acquire) {
            return Cow::Borrowed(bytes);
        }
        let name = PLACEHOLDER.as_bytes();
        let Some(at) = bytes.windows(name.len()).position(|part| part == name) else {
            return Cow::Borrowed(bytes);
        };
        let mut head = bytes.to_vec();
        head[at..at + name.len()].copy_from_slice(TRANSFER_ENCODING.as_bytes());
        Cow::Owned(head)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that carries out orders when it is flushed: everything before them has been sent by
/// then.
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
        let renamed = self.orders.renamed(bytes);
        let is_renamed = matches!(renamed, Cow::Owned(_));
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, &renamed));
        if is_renamed && written.is_ok() {
            // A head is small, so it is written at once.
            self.orders.has_placeholder.store(false, Ordering::Release);
        }
        Poll::Ready(written)
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
        if self.orders.has_placeholder.load(Ordering::Acquire)
            && let Some(first) = bytes.iter().find(|part| !part.is_empty())
        {
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}
