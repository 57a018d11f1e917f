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

/// The attempts to start one archive, for a caller that records what it sends before it sends it.
///
/// [`StartAttempts::ready`] waits until the next attempt may be sent, and [`StartAttempts::send`]
/// sends it. Between the two nothing has been sent, so a caller can write down there that a start
/// may follow. [`Client::start_archive`](crate::Client::start_archive) is the loop over both:
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
    /// When the next attempt may be sent, where one has failed.
    due: Option<Instant>,
    /// The right to make one call, from [`StartAttempts::ready`] to [`StartAttempts::send`].
    slot: Option<OwnedSemaphorePermit>,
    /// How many connections starts had made when the attempt that is under way began.
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
    /// while the instance wants no calls, and until few enough calls are under way.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] when the client's deadline comes first. Nothing has been sent
    /// then, so [`Error::is_outcome_unknown`] is false.
    ///
    /// # Cancellation
    /// Nothing has been sent by this attempt, whether the future returns or is dropped. It can be
    /// called again; what has been waited for is not waited for twice.
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

    /// Sends one attempt, on a connection of its own: a pooled one may be closed by the server just
    /// when it is used, which would leave the outcome unknown. Waits as [`StartAttempts::ready`]
    /// does where that has not been called.
    ///
    /// Gives the job that was started, or `None` where certainly nothing was started and another
    /// attempt is worth making: call [`StartAttempts::ready`] again.
    ///
    /// # Errors
    /// [`Error`] when there is to be no other attempt; where [`Error::is_outcome_unknown`], the
    /// archive may have been started.
    ///
    /// # Cancellation
    /// Dropping the future leaves open whether the archive was started, unless
    /// [`StartAttempts::may_have_been_sent`] says that it was not.
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
                // A delay that no clock can tell never ends.
                let far = Duration::from_secs(86_400 * 365);
                self.due = Some(Instant::now() + delay.min(far));
                Ok(None)
            }
        }
    }

    /// Whether an attempt whose [`StartAttempts::send`] was dropped may have reached Tulip: not
    /// before there was a connection for it. Where several starts are under way, a connection of
    /// any of them counts.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        let made = self.api.start_connections();
        self.began_with.is_some_and(|before| before != made)
    }
}

/// No connection, or a refusal that asks to come back: the archive was not started.
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
