//! The failures that a download may have.

use super::source::{AssetSource, SignedUrl};
use crate::error::{Error, ErrorKind};
use crate::retry::RetryLoop;

/// A download that has this many new bytes makes progress, and its count of failures restarts. If
/// fewer were enough, a host that breaks every connection could hold up a download indefinitely.
const PROGRESS: u64 = 64 * 1024;

/// The failures of successive connections since the last new bytes.
pub(super) struct RetryBudget {
    retry: RetryLoop,
    /// How far the download was when the count started.
    counted_from: u64,
    /// Whether some of the archive has arrived.
    has_begun: bool,
    /// Whether a fresh URL was requested since the count started.
    renewed: bool,
}

impl RetryBudget {
    /// Creates the budget of a download or range that begins at byte `at`.
    pub(super) fn new(retry: RetryLoop, at: u64) -> Self {
        Self {
            retry,
            counted_from: at,
            has_begun: at > 0,
            renewed: false,
        }
    }

    /// Records that the download is at byte `at` now. Repeated bytes are not progress.
    pub(super) fn advance(&mut self, at: u64) {
        self.has_begun |= at > 0;
        if at >= self.counted_from.saturating_add(PROGRESS) {
            self.counted_from = at;
            self.renewed = false;
            self.retry.restart();
        }
    }

    /// Records that a connection broke while bytes came. Until then nothing was being retried,
    /// however long the reader took.
    pub(super) fn interrupted(&mut self) {
        self.retry.restart_unless_failed();
    }

    /// Waits until the host may be asked again, and gets a fresh URL if this one was refused or
    /// leads to nothing.
    pub(super) async fn recover(
        &mut self,
        source: &AssetSource,
        used: &SignedUrl,
        error: Error,
    ) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::AssetRefused => {
                let status = error.status();
                source.count_failure();
                // The first refusal is most likely an expiry, which a fresh URL fixes at once.
                if self.renewed {
                    self.wait(source, error, true).await?;
                }
                self.renewed = true;
                source.renew(used, status).await
            }
            // A store may not know a new object everywhere yet. One fresh URL can lead elsewhere;
            // after that only time helps.
            ErrorKind::NotFound => {
                let status = error.status();
                source.count_failure();
                self.wait(source, error, true).await?;
                match std::mem::replace(&mut self.renewed, true) {
                    false => source.renew(used, status).await,
                    true => Ok(()),
                }
            }
            // The archive has begun, so it is not itself a page: something between the host and us
            // has answered instead.
            ErrorKind::NotAnArchive if self.has_begun => self.count(source, error).await,
            _ => {
                let safe = error.is_retryable();
                source.count_failure();
                self.wait(source, error, safe).await
            }
        }
    }

    /// Waits after a failure that the next request can fix, because it is a different one.
    pub(super) async fn count(&mut self, source: &AssetSource, error: Error) -> Result<(), Error> {
        source.count_failure();
        self.wait(source, error, true).await
    }

    async fn wait(&mut self, source: &AssetSource, error: Error, safe: bool) -> Result<(), Error> {
        let gate = source.gate_of(&error);
        let delay = self.retry.delay_after(error, safe, &gate)?;
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
