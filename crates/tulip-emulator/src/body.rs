//! Bodies of replies, made while they are sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::content::Content;
use crate::wire::{Order, Orders};

/// Large enough that a request to the system costs little beside the copy, small enough for the
/// processor's cache.
const CHUNK: usize = 256 * 1024;

/// What happens when a body has come to its limit.
#[derive(Debug)]
pub(crate) enum AtLimit {
    Cut(Orders),
    Stall,
}

#[derive(Debug)]
enum Source {
    Bytes(Bytes),
    Content { content: Content, at: u64, end: u64 },
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) struct Body {
    source: Source,
    announced: bool,
    limit: Option<(u64, AtLimit)>,
    counter: Option<Arc<AtomicU64>>,
}

impl Body {
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self {
            source: Source::Bytes(bytes),
            announced: true,
            limit: None,
            counter: None,
        }
    }

    /// Bytes `start..end` of `content`.
    pub(crate) fn content(content: Content, start: u64, end: u64) -> Self {
        Self {
            source: Source::Content {
                content,
                at: start,
                end,
            },
            announced: true,
            limit: None,
            counter: None,
        }
    }

    /// Leaves the length out of the reply, unless a header has it.
    pub(crate) fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Sends no more than `bytes`.
    pub(crate) fn limited(mut self, bytes: u64, then: AtLimit) -> Self {
        self.limit = Some((bytes, then));
        self
    }

    /// Adds what is sent to `counter`.
    pub(crate) fn counted(mut self, counter: Arc<AtomicU64>) -> Self {
        self.counter = Some(counter);
        self
    }

    fn remaining(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Content { at, end, .. } => end.saturating_sub(*at),
        }
    }

    fn next(&mut self, max: usize) -> Bytes {
        match &mut self.source {
            Source::Bytes(bytes) => bytes.split_to(bytes.len().min(max)),
            Source::Content { content, at, end } => {
                let left = usize::try_from(end.saturating_sub(*at)).unwrap_or(max);
                let chunk = content.chunk(*at, left.min(max));
                *at += chunk.len() as u64;
                if chunk.is_empty() {
                    *end = *at;
                }
                chunk
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut max = CHUNK;
        match &self.limit {
            Some((0, AtLimit::Stall)) => return Poll::Pending,
            Some((0, AtLimit::Cut(orders))) => {
                // The connection closes at its next flush, which follows a pending body.
                orders.give(Order::Close);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some((left, _)) => max = usize::try_from(*left).map_or(max, |left| left.min(max)),
            None => {}
        }
        let chunk = self.next(max);
        if chunk.is_empty() {
            return Poll::Ready(None);
        }
        let length = chunk.len() as u64;
        if let Some((left, _)) = &mut self.limit {
            *left -= length;
        }
        if let Some(counter) = &self.counter {
            counter.fetch_add(length, Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.limit.is_none() && self.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.announced {
            SizeHint::with_exact(self.remaining())
        } else {
            SizeHint::default()
        }
    }
}
