//! Blocking work, on the runtime's blocking threads.

use tokio::task::{JoinError, spawn_blocking};
use tulip_core::sink::{SinkError, SinkErrorKind};

/// Runs `work` on a blocking thread. It runs to its end even if this future is dropped.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(stopped(error)),
    }
}

/// The error if the thread panicked, or the runtime is shutting down.
pub(super) fn stopped(error: JoinError) -> SinkError {
    SinkError::new(SinkErrorKind::Other, "a file operation was stopped").with_source(error)
}
