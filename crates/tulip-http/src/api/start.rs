//! Starting an archive, one attempt at a time.

use std::fmt;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tulip_core::{ArchiveJob, MachineId};

use super::calls::Api;
use crate::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::retry::RetryLoop;

/// The attempts to start one archive, for callers that record each attempt before they send it.
///
/// [`StartAttempts::ready`] waits until the next attempt may be sent, and [`StartAttempts::send`]
/// sends it. Nothing is sent in between, so a caller can record there that a start may follow.
/// [`Client::start_archive`](crate::Client::start_archive) is the loop over both:
///
/// ```
/// # async fn start(client: &tulip_http::Client, machine: &tulip_core::MachineId)
/// #     -> Result<tulip_core::ArchiveJob, tulip_http::Error> {
/// let mut attempts = client.start_attempts(machine);
/// loop {
///     attempts.ready().await?;
///     // Record here that a start may have been sent.
///     if let Some(job) = attempts.send().await? {
///         return Ok(job);
///     }
///     // Nothing was started: the record can be taken back.
/// }
/// # }
/// ```
pub struct StartAttempts {
    api: Api,
    endpoint: Endpoint,
    retry: RetryLoop,
    /// When the next attempt may be sent, if one has failed.
    due: Option<Instant>,
    /// The right to make one call, from [`StartAttempts::ready`] to [`StartAttempts::send`].
    slot: Option<OwnedSemaphorePermit>,
    /// How many connections starts had made when the current attempt began.
    began_with: Option<u64>,
}

impl StartAttempts {
    pub(crate) fn new(api: Api, machine: &MachineId) -> Self {
        Self {
            endpoint: Endpoint::StartArchive(machine.clone()),
            retry: api.retry_loop(),
            api,
            due: None,
            slot: None,
            began_with: None,
        }
    }

    /// Waits until an attempt may be sent: for the backoff or `Retry-After` of the one before,
    /// while the instance asks for a pause, and for a free slot among the client's concurrent
    /// calls.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] if the client's deadline comes first. Nothing has been sent then,
    /// so [`Error::is_outcome_unknown`] is false.
    ///
    /// # Cancellation
    /// This attempt has sent nothing, whether the future returns or is dropped. `ready` can be
    /// called again, and does not repeat waits that are over.
    pub async fn ready(&mut self) -> Result<(), Error> {
        if self.slot.is_some() {
            return Ok(());
        }
        if let Some(due) = self.due {
            tokio::time::sleep_until(due).await;
            self.due = None;
        }
        self.slot = Some(self.api.slot(&self.endpoint).await?);
        Ok(())
    }

    /// Sends one attempt on a new connection: the server may close a pooled one just when it is
    /// used, which would leave the outcome unknown. Calls [`StartAttempts::ready`] if the caller
    /// has not.
    ///
    /// Returns the job that was started, or `None` if certainly nothing was started and another
    /// attempt is worthwhile: call [`StartAttempts::ready`] again.
    ///
    /// # Errors
    /// [`Error`] if there will be no other attempt. If [`Error::is_outcome_unknown`], the archive
    /// may have been started.
    ///
    /// # Cancellation
    /// If the future is dropped, the archive may or may not have been started, unless
    /// [`StartAttempts::may_have_been_sent`] returns `false`.
    pub async fn send(&mut self) -> Result<Option<ArchiveJob>, Error> {
        self.ready().await?;
        self.began_with = Some(self.api.start_connections());
        let sent = Box::pin(self.api.call_once(&self.endpoint)).await;
        let was_connected = self.may_have_been_sent();
        (self.began_with, self.slot) = (None, None);
        match sent {
            Ok(job) => Ok(Some(job)),
            Err(mut error) => {
                if !was_connected {
                    error.inner_mut().kind = ErrorKind::Connect;
                }
                let safe = is_certainly_not_started(&error);
                let delay = self.retry.delay_after(error, safe, self.api.gate())?;
                // Capped, because a very long delay overflows an `Instant`.
                let far = Duration::from_secs(86_400 * 365);
                self.due = Some(Instant::now() + delay.min(far));
                Ok(None)
            }
        }
    }

    /// Returns whether an attempt whose [`StartAttempts::send`] was dropped may have reached Tulip:
    /// not before it had a connection. If several starts run at once, a connection of any of them
    /// counts.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        let made = self.api.start_connections();
        self.began_with.is_some_and(|before| before != made)
    }
}

/// Whether the archive was certainly not started: no connection, or a refusal that allows a retry.
fn is_certainly_not_started(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::RateLimited)
}

impl fmt::Debug for StartAttempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartAttempts")
            .field("endpoint", &self.endpoint)
            .field("attempts", &self.retry.attempts())
            .finish_non_exhaustive()
    }
}
