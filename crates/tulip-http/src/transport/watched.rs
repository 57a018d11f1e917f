//! A request body that records its progress.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// Larger pieces of a body are sent in slices of this many bytes, to tell a silent server from a
/// slow line.
pub(super) const SLICE: usize = 64 * 1024;

/// When a request's body was last polled, and whether it has data to send.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    millis: AtomicU64,
    /// Whether the connection asks for more and the body has no data yet.
    waiting: AtomicBool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            millis: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
        }
    }

    /// Returns when the server will have been silent for too long, as far as is known now.
    pub(super) fn limit(&self, read_timeout: Duration) -> Instant {
        if self.waiting.load(Ordering::SeqCst) {
            return Instant::now() + read_timeout;
        }
        self.started + Duration::from_millis(self.millis.load(Ordering::SeqCst)) + read_timeout
    }

    /// Records that the body has data again.
    pub(super) fn fed(&self) {
        self.touch();
        self.waiting.store(false, Ordering::SeqCst);
    }

    fn touch(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::SeqCst);
    }
}

/// A body that records when it is polled, and yields slices.
pub(super) struct Watched<B> {
    body: B,
    rest: Bytes,
    progress: Arc<Progress>,
}

impl<B> Watched<B> {
    pub(super) fn new(body: B, progress: Arc<Progress>) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            progress,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.progress.touch();
        let this = &mut *self;
        if this.rest.is_empty() {
            // Set before the poll, so that a writer that feeds the body during the poll resets it.
            this.progress.waiting.store(true, Ordering::SeqCst);
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
            this.progress.waiting.store(false, Ordering::SeqCst);
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let slice = this.rest.split_to(this.rest.len().min(SLICE));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::Waker;

    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    /// A body without data yet.
    struct Waiting;

    impl Body for Waiting {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_body_has_nothing_to_give_is_no_stall() {
        let progress = Arc::new(Progress::new());
        let mut body = Watched::new(Waiting, progress.clone());
        let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        tokio::time::advance(10 * STALL).await;
        assert!(progress.limit(STALL) > Instant::now());
        // It has data again, and nobody takes it.
        progress.fed();
        assert_eq!(progress.limit(STALL), Instant::now() + STALL);
        tokio::time::advance(STALL).await;
        assert_eq!(progress.limit(STALL), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_not_read_stalls() {
        let progress = Arc::new(Progress::new());
        let mut body = Watched::new("a,b".to_owned(), progress.clone());
        tokio::time::advance(STALL / 2).await;
        let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
        assert_eq!(progress.limit(STALL), Instant::now() + STALL);
        tokio::time::advance(STALL).await;
        assert_eq!(progress.limit(STALL), Instant::now());
    }
}
