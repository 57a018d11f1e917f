//! The orderly end of an export.

use std::borrow::Cow;
use std::pin::Pin;
use std::time::Duration;

use crate::{ExportError, ExportErrorKind};

/// How long work that leaves traces may continue after a request to end the export.
const GRACE: Duration = Duration::from_secs(5);

/// Why a caller ends an export: see [`Export::until`](crate::Export::until).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The caller stops the export. It fails as [`ExportErrorKind::Interrupted`].
    Interrupted,
    /// A time limit of the caller was reached. The export fails as
    /// [`ExportErrorKind::DeadlineExceeded`], and its message begins with this text, which names
    /// the limit: `the time limit of the run was reached`.
    TimeLimit(Cow<'static, str>),
    /// Another process has taken over the export's run. The export fails as
    /// [`ExportErrorKind::Fenced`], and leaves nothing for another run unless it has started a job.
    Fenced,
}

/// A future without a reason, such as that of a `CancellationToken`, interrupts the export.
impl From<()> for EndReason {
    fn from((): ()) -> Self {
        Self::Interrupted
    }
}

impl EndReason {
    /// Returns the error of an export that ended for this reason.
    pub(crate) fn error(&self) -> ExportError {
        match self {
            Self::Interrupted => {
                let what = "the export was cancelled; nothing was stored";
                ExportError::new(ExportErrorKind::Interrupted, what)
            }
            Self::TimeLimit(limit) => {
                let what = format!("{limit}; nothing was stored");
                ExportError::new(ExportErrorKind::DeadlineExceeded, what)
            }
            Self::Fenced => {
                let what = "another process has taken this over; nothing was stored";
                ExportError::new(ExportErrorKind::Fenced, what)
            }
        }
    }
}

/// A request to end an export.
pub(crate) enum Cancellation {
    Waiting(Pin<Box<dyn Future<Output = EndReason> + Send>>),
    Requested(EndReason),
}

/// The result of work that has a grace period.
pub(crate) enum Graced<T> {
    /// It was done before the request to end.
    Done(T),
    /// It was done within the grace period.
    DoneLate(T, EndReason),
    /// It was not done and has been dropped.
    Dropped(EndReason),
}

impl Cancellation {
    pub(crate) fn new<R: Into<EndReason>>(
        requested: impl Future<Output = R> + Send + 'static,
    ) -> Self {
        Self::Waiting(Box::pin(async { requested.await.into() }))
    }

    pub(crate) fn never() -> Self {
        Self::Waiting(Box::pin(std::future::pending()))
    }

    /// Runs `work`, and drops it on a request to end the export. It is boxed so that stages which
    /// are done or yet to come take no memory while thousands of jobs are pending.
    pub(crate) fn guard<'a, T: 'a>(
        &'a mut self,
        work: impl Future<Output = Result<T, ExportError>> + 'a,
    ) -> impl Future<Output = Result<T, ExportError>> + 'a {
        let work = Box::pin(work);
        async move {
            tokio::select! {
                biased;
                reason = self.wait() => Err(reason.error()),
                result = work => result,
            }
        }
    }

    /// Runs `work`, and gives it a few more seconds on a request to end the export.
    pub(crate) async fn grace<T>(&mut self, work: impl Future<Output = T>) -> Graced<T> {
        let mut work = std::pin::pin!(work);
        let reason = tokio::select! {
            biased;
            reason = self.wait() => reason,
            value = &mut work => return Graced::Done(value),
        };
        match tokio::time::timeout(GRACE, work).await {
            Ok(value) => Graced::DoneLate(value, reason),
            Err(_) => Graced::Dropped(reason),
        }
    }

    async fn wait(&mut self) -> EndReason {
        if let Self::Waiting(requested) = self {
            *self = Self::Requested(requested.await);
        }
        match self {
            Self::Requested(reason) => reason.clone(),
            Self::Waiting(_) => std::future::pending().await,
        }
    }
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
    async fn a_time_limit_is_a_deadline_and_says_which() {
        let limit = EndReason::TimeLimit("the time limit of the night was reached".into());
        let mut cancellation = Cancellation::new(std::future::ready(limit.clone()));
        let error = cancellation.guard(never()).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::DeadlineExceeded);
        let what = "the time limit of the night was reached; nothing was stored";
        assert_eq!(error.to_string(), what);
        assert!(error.is_retryable());
        let dropped = cancellation.grace(never()).await;
        assert!(matches!(dropped, Graced::Dropped(reason) if reason == limit));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_leaves_traces_has_a_little_longer() {
        let half = GRACE / 2;
        let mut cancellation = Cancellation::new(tokio::time::sleep(half));
        let late = cancellation.grace(tokio::time::sleep(2 * half)).await;
        assert!(matches!(late, Graced::DoneLate((), EndReason::Interrupted)));
        let dropped = cancellation.grace(never()).await;
        assert!(matches!(dropped, Graced::Dropped(_)));
    }
}
