//! How many failures a download may have.

use super::source::{AssetSource, SignedUrl};
use crate::error::{Error, ErrorKind};
use crate::retry::RetryLoop;

/// A download that has got this many new bytes makes progress: the count of failures starts again.
/// With less, a host that ends every connection at once could hold up a download indefinitely.
const PROGRESS: u64 = 64 * 1024;

/// The failures of one connection after the other since the last bytes that were new.
pub(super) struct RetryBudget {
    retry: RetryLoop,
    /// How far the download was when the count started.
    counted_from: u64,
    /// Whether some of the archive has come.
    has_begun: bool,
    /// A fresh URL was taken since the count started.
    renewed: bool,
}

impl RetryBudget {
    /// The budget of what begins at byte `at`.
    pub(super) fn new(retry: RetryLoop, at: u64) -> Self {
        Self {
            retry,
            counted_from: at,
            has_begun: at > 0,
            renewed: false,
        }
    }

    /// Tells that the download is at byte `at` now. The same bytes again are no progress.
    pub(super) fn advance(&mut self, at: u64) {
        self.has_begun |= at > 0;
        if at >= self.counted_from.saturating_add(PROGRESS) {
            self.counted_from = at;
            self.renewed = false;
            self.retry.restart();
        }
    }

    /// A connection broke while bytes came. Until then nothing was being retried, however long the
    /// reader took.
    pub(super) fn interrupted(&mut self) {
        self.retry.restart_unless_failed();
    }

    /// Waits until the host may be asked again, with a fresh URL where this one was refused or
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
                // The first refusal is most likely an expiry, which a fresh URL mends at once.
                if self.renewed {
                    self.wait(source, error, true).await?;
                }
                self.renewed = true;
                source.renew(used, status).await
            }
            // A store may not know everywhere yet what it has just announced. One fresh URL can
            // lead elsewhere; after that only time helps.
            ErrorKind::NotFound => {
                let status = error.status();
                source.count_failure();
                self.wait(source, error, true).await?;
                match std::mem::replace(&mut self.renewed, true) {
                    false => source.renew(used, status).await,
                    true => Ok(()),
                }
            }
            // The archive has begun, so this is no archive that is a page: something between the
            // host and us has answered instead.
            ErrorKind::NotAnArchive if self.has_begun => self.count(source, error).await,
            _ => {
                let safe = error.is_retryable();
                source.count_failure();
                self.wait(source, error, safe).await
            }
        }
    }

    /// Waits after a failure that the next request, being another, can mend.
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
