//! Reply bodies, generated while they are sent.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::content::Content;
use crate::jobs::Budget;
use crate::wire::{Order, Orders};

/// Large enough that a system call costs little compared to the copy, small enough for the CPU
/// cache.
const CHUNK: u64 = 256 * 1024;
/// The blanks sent after the source ends.
static FILLER: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// What happens when a body reaches its limit.
#[derive(Debug)]
pub(crate) enum AtLimit {
    End(Orders, Order),
    Stall,
}

#[derive(Debug)]
enum Source {
    Bytes(Bytes),
    Content { content: Content, at: u64, end: u64 },
}

/// Pieces with pauses before them.
#[derive(Debug)]
struct Drip {
    /// Bytes sent at once before the first piece.
    at_once: u64,
    piece: u64,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) struct Body {
    /// Bytes before the source.
    prefix: Bytes,
    source: Source,
    /// The number of blanks after the source.
    filler: u64,
    announced: bool,
    limit: Option<(u64, AtLimit)>,
    budget: Option<(Budget, Orders)>,
    drip: Option<Drip>,
    surplus: Option<(Bytes, Orders)>,
    counters: Vec<Arc<AtomicU64>>,
}

/// Construction.
impl Body {
    fn new(source: Source) -> Self {
        Self {
            prefix: Bytes::new(),
            source,
            filler: 0,
            announced: true,
            limit: None,
            budget: None,
            drip: None,
            surplus: None,
            counters: Vec::new(),
        }
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self::new(Source::Bytes(bytes))
    }

    /// Bytes `start..end` of `content`.
    pub(crate) fn content(content: Content, start: u64, end: u64) -> Self {
        Self::new(Source::Content {
            content,
            at: start,
            end,
        })
    }

    /// Omits the length from the reply, unless a header gives it.
    pub(crate) fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Sends these bytes first.
    pub(crate) fn preceded(mut self, bytes: Bytes) -> Self {
        self.prefix = bytes;
        self
    }

    /// Appends this many blanks.
    pub(crate) fn filled(mut self, blanks: u64) -> Self {
        self.filler = blanks;
        self
    }

    /// Sends at most `bytes`, then does `then`.
    pub(crate) fn limited(mut self, bytes: u64, then: AtLimit) -> Self {
        self.limit = Some((bytes, then));
        self
    }

    /// Sends at most what `budget` has left, then closes the connection.
    pub(crate) fn within(mut self, budget: Budget, orders: &Orders) -> Self {
        self.budget = Some((budget, orders.clone()));
        self
    }

    /// Sends `at_once` bytes, then the rest in pieces with a pause before each.
    pub(crate) fn dripping(mut self, at_once: u64, piece: u64, pause: Duration) -> Self {
        self.drip = Some(Drip {
            at_once,
            piece: piece.clamp(1, CHUNK),
            pause,
            waiting: None,
        });
        self
    }

    /// Makes the connection send `bytes` after the reply.
    pub(crate) fn followed(mut self, bytes: Bytes, orders: &Orders) -> Self {
        self.surplus = Some((bytes, orders.clone()));
        if self.remaining() == 0 {
            // An empty body is never polled.
            self.order_surplus();
        }
        self
    }

    /// Adds the number of bytes sent to `counters` too.
    pub(crate) fn counted(mut self, counters: impl IntoIterator<Item = Arc<AtomicU64>>) -> Self {
        self.counters.extend(counters);
        self
    }
}

/// Sending.
impl Body {
    fn remaining(&self) -> u64 {
        let source = match &self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Content { at, end, .. } => end.saturating_sub(*at),
        };
        let prefix = self.prefix.len() as u64;
        source.saturating_add(self.filler).saturating_add(prefix)
    }

    fn next(&mut self, max: usize) -> Bytes {
        if !self.prefix.is_empty() {
            return self.prefix.split_to(self.prefix.len().min(max));
        }
        let chunk = match &mut self.source {
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
        };
        if !chunk.is_empty() {
            return chunk;
        }
        let blanks = usize::try_from(self.filler).unwrap_or(max).min(max);
        let blanks = &FILLER[..blanks.min(FILLER.len())];
        self.filler -= blanks.len() as u64;
        Bytes::from_static(blanks)
    }

    /// Waits for the next piece and returns its maximum length.
    fn poll_drip(&mut self, context: &mut Context<'_>) -> Poll<u64> {
        let Some(drip) = &mut self.drip else {
            return Poll::Ready(CHUNK);
        };
        if drip.at_once > 0 {
            return Poll::Ready(drip.at_once.min(CHUNK));
        }
        let pause = drip.pause;
        let waiting = drip.waiting.get_or_insert_with(|| Box::pin(sleep(pause)));
        ready!(waiting.as_mut().poll(context));
        drip.waiting = None;
        Poll::Ready(drip.piece)
    }

    fn sent(&mut self, bytes: u64) {
        if let Some((left, _)) = &mut self.limit {
            *left -= bytes;
        }
        if let Some(drip) = &mut self.drip {
            drip.at_once = drip.at_once.saturating_sub(bytes);
        }
        for counter in &self.counters {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        if self.remaining() == 0 {
            self.order_surplus();
        }
    }

    fn order_surplus(&mut self) {
        if let Some((bytes, orders)) = self.surplus.take() {
            orders.give(Order::Send(bytes));
        }
    }
}

/// Ends the connection at its next flush; hyper flushes when the body is pending.
fn end<T>(orders: &Orders, order: Order, context: &Context<'_>) -> Poll<T> {
    orders.give(order);
    context.waker().wake_by_ref();
    Poll::Pending
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut limit = u64::MAX;
        match &self.limit {
            Some((0, AtLimit::Stall)) => return Poll::Pending,
            Some((0, AtLimit::End(orders, order))) => return end(orders, order.clone(), context),
            Some((left, _)) => limit = *left,
            None => {}
        }
        if self.remaining() == 0 {
            return Poll::Ready(None);
        }
        let mut max = ready!(self.poll_drip(context)).min(limit);
        if let Some((budget, orders)) = &self.budget {
            max = budget.take(max);
            if max == 0 {
                return end(orders, Order::Close, context);
            }
        }
        let chunk = self.next(usize::try_from(max).unwrap_or(usize::MAX));
        if let Some((budget, _)) = &self.budget {
            budget.give_back(max - chunk.len() as u64);
        }
        if chunk.is_empty() {
            return Poll::Ready(None);
        }
        self.sent(chunk.len() as u64);
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

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;

    /// The pieces of a body, and how many milliseconds after the start each one came.
    async fn pieces(mut body: Body) -> Vec<(Bytes, u128)> {
        let start = Instant::now();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            pieces.push((data, start.elapsed().as_millis()));
        }
        pieces
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_pauses_before_each_piece() {
        let second = Duration::from_secs(1);
        let body = || Body::bytes("0123456789".into());
        let got = pieces(body().dripping(3, 3, second)).await;
        let expected = [("012", 0), ("345", 1000), ("678", 2000), ("9", 3000)];
        assert_eq!(got, expected.map(|(text, at)| (text.into(), at)));
        let got = pieces(body().dripping(0, 0, second)).await;
        assert_eq!(got[0], ("0".into(), 1000));
        assert_eq!(got.len(), 10);
    }

    #[tokio::test]
    async fn blanks_follow_the_source() {
        let body = Body::bytes("ab".into()).filled(3);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab   ");
    }

    #[tokio::test]
    async fn a_prefix_comes_first_and_is_announced() {
        let body = Body::bytes("ab".into()).preceded("xyz".into()).filled(1);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(6));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "xyzab ");
    }
}
