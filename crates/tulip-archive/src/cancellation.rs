//! Ending an export in order.

use std::pin::Pin;
use std::time::Duration;

use crate::{ExportError, ExportErrorKind};

/// How long work that leaves traces may go on once the export is to end.
const GRACE: Duration = Duration::from_secs(5);

/// The caller's wish to end an export, once it comes.
pub(crate) struct Cancellation {
    /// `None` once it has completed.
    requested: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What came of work that may take a little longer than the wish to end.
pub(crate) enum Graced<T> {
    /// It was done before.
    Done(T),
    /// It was done in the time that was left.
    DoneLate(T),
    /// It was not done, and is dropped.
    Dropped,
}

impl Cancellation {
    pub(crate) fn new(requested: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            requested: Some(Box::pin(requested)),
        }
    }

    /// Runs `work`, which is dropped when the export is to end.
    pub(crate) async fn guard<T>(
        &mut self,
        work: impl Future<Output = Result<T, ExportError>>,
    ) -> Result<T, ExportError> {
        tokio::select! {
            biased;
            () = self.wait() => Err(interrupted()),
            result = work => result,
        }
    }

    /// Runs `work`, which has a few seconds more when the export is to end.
    pub(crate) async fn grace<T>(&mut self, work: impl Future<Output = T>) -> Graced<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            () = self.wait() => {}
            value = &mut work => return Graced::Done(value),
        }
        match tokio::time::timeout(GRACE, work).await {
            Ok(value) => Graced::DoneLate(value),
            Err(_) => Graced::Dropped,
        }
    }

    async fn wait(&mut self) {
        if let Some(requested) = &mut self.requested {
            requested.await;
            self.requested = None;
        }
    }
}

pub(crate) fn interrupted() -> ExportError {
    let what = "the export was cancelled; nothing was stored";
    ExportError::new(ExportErrorKind::Interrupted, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn never() -> Result<(), ExportError> {
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn once_requested_all_that_follows_ends_at_once() {
        let mut cancellation = Cancellation::new(tokio::time::sleep(GRACE));
        assert!(cancellation.guard(async { Ok(1) }).await.is_ok());
        for _ in 0..2 {
            let error = cancellation.guard(never()).await.unwrap_err();
            assert_eq!(error.kind(), ExportErrorKind::Interrupted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_leaves_traces_has_a_little_longer() {
        let half = GRACE / 2;
        let mut cancellation = Cancellation::new(tokio::time::sleep(half));
        let late = cancellation.grace(tokio::time::sleep(2 * half)).await;
        assert!(matches!(late, Graced::DoneLate(())));
        assert!(matches!(cancellation.grace(never()).await, Graced::Dropped));
    }
}
