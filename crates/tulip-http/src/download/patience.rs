//! How long failures are put up with.

use crate::download::origin::{Origin, Signed};
use crate::error::{Error, ErrorKind};
use crate::retry::Tries;

/// So many new bytes show that a download moves: the count of failures begins again. With less, a
/// host that ends every connection at once could keep a download for ever.
const PROGRESS: u64 = 64 * 1024;

/// The failures of one connection after the other since the last bytes that were new.
pub(super) struct Patience {
    tries: Tries,
    /// How far the download was when the count began.
    counted_from: u64,
    /// A fresh URL was taken since the count began.
    refreshed: bool,
}

impl Patience {
    /// The patience with what begins at byte `at`.
    pub(super) fn new(tries: Tries, at: u64) -> Self {
        Self {
            tries,
            counted_from: at,
            refreshed: false,
        }
    }

    /// Takes notice that the download is at byte `at` now. The same bytes again are no progress.
    pub(super) fn advance(&mut self, at: u64) {
        if at >= self.counted_from.saturating_add(PROGRESS) {
            self.counted_from = at;
            self.refreshed = false;
            self.tries.begin_again();
        }
    }

    /// A connection broke while bytes came. Until then nothing was being retried, however long the
    /// reader took.
    pub(super) fn broke(&mut self) {
        self.tries.begin_if_unfailed();
    }

    /// Waits until the host may be asked again, with a fresh URL where this one was refused.
    pub(super) async fn recover(
        &mut self,
        origin: &Origin,
        used: &Signed,
        error: Error,
    ) -> Result<(), Error> {
        origin.failed();
        if error.kind() != ErrorKind::AssetRefused {
            return self.tries.failed(error).await;
        }
        let status = error.status();
        // The first refusal is most likely an expiry, which a fresh URL mends at once.
        if self.refreshed {
            self.tries.count(error).await?;
        }
        self.refreshed = true;
        origin.refresh(used, status).await
    }

    /// Waits after a failure that the next request, being another, can mend.
    pub(super) async fn count(&mut self, origin: &Origin, error: Error) -> Result<(), Error> {
        origin.failed();
        self.tries.count(error).await
    }
}
