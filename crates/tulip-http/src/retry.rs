//! Retry policies, and the loop that applies them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::transport::RateLimitGate;
use crate::{Error, ErrorKind};

/// A failed attempt, as a [`RetryPolicy`] sees it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// The failure. The client asks only about failures that are safe to repeat.
    pub error: &'a Error,
    /// How often the call has been sent so far, at least 1.
    pub attempts: u32,
    /// The time since the first attempt began.
    pub elapsed: Duration,
    /// The time left until the caller's deadline, if there is one.
    pub remaining: Option<Duration>,
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryDecision {
    /// Send it again after this long.
    RetryAfter(Duration),
    /// Report the failure.
    GiveUp,
}

/// Decides whether and when a call is sent again.
///
/// The client asks only if sending again is safe: for GETs, on errors that can pass by themselves;
/// for the POST that starts an archive, on 429 or if the request cannot have reached the server.
pub trait RetryPolicy: Send + Sync + fmt::Debug {
    /// Decides whether and when to send the call again after `attempt`.
    fn decide(&self, attempt: &Attempt<'_>) -> RetryDecision;

    /// Returns the maximum number of retries of one call, or `None` if the policy does not count
    /// them. Only for messages, such as "retry 1/5".
    fn most_retries(&self) -> Option<u32> {
        None
    }
}

/// Never retries.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverRetry;

impl RetryPolicy for NeverRetry {
    fn decide(&self, _: &Attempt<'_>) -> RetryDecision {
        RetryDecision::GiveUp
    }
}

/// Exponential backoff with full jitter: the wait before retry *n* is random between zero and
/// `base` · 2ⁿ⁻¹, at most `cap`, but never shorter than the server's `Retry-After`.
///
/// Gives up when the retries are used up, or when the wait would pass the caller's deadline or,
/// without one, [`ExponentialBackoff::time_limit`].
#[derive(Debug, Clone, Copy)]
pub struct ExponentialBackoff {
    retries: u32,
    base: Duration,
    cap: Duration,
    time_limit: Duration,
}

impl Default for ExponentialBackoff {
    /// 5 retries, 0.5 s doubling to 30 s, at most 10 min if the caller set no deadline.
    fn default() -> Self {
        Self {
            retries: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            time_limit: Duration::from_secs(600),
        }
    }
}

impl ExponentialBackoff {
    /// Sets the number of retries.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the base and the cap of the delays.
    #[must_use]
    pub const fn delays(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// Sets the limit on the total time, for calls without a deadline.
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Decides with a given `jitter`, between 0 and 1.
    fn decision(
        &self,
        attempts: u32,
        elapsed: Duration,
        remaining: Option<Duration>,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> RetryDecision {
        if attempts > self.retries {
            return RetryDecision::GiveUp;
        }
        let doubled = 2_u32
            .checked_pow(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(doubled).min(self.cap);
        let delay = ceiling.mul_f64(jitter).max(retry_after.unwrap_or_default());
        let left = remaining.unwrap_or_else(|| self.time_limit.saturating_sub(elapsed));
        if delay >= left {
            return RetryDecision::GiveUp;
        }
        RetryDecision::RetryAfter(delay)
    }
}

impl RetryPolicy for ExponentialBackoff {
    fn decide(&self, attempt: &Attempt<'_>) -> RetryDecision {
        self.decision(
            attempt.attempts,
            attempt.elapsed,
            attempt.remaining,
            attempt.error.retry_after(),
            fastrand::f64(),
        )
    }

    fn most_retries(&self) -> Option<u32> {
        Some(self.retries)
    }
}

/// The number of a retry and, if known, the maximum.
struct Retry(u32, Option<u32>);

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(most) => write!(f, "{}/{most}", self.0),
            None => self.0.fmt(f),
        }
    }
}

/// Counts the failed attempts of one call and asks the policy about each.
pub(crate) struct RetryLoop {
    policy: Arc<dyn RetryPolicy>,
    deadline: Option<Instant>,
    started: Instant,
    attempts: u32,
}

impl RetryLoop {
    /// Starts a loop that ends by `deadline`.
    pub(crate) fn new(policy: Arc<dyn RetryPolicy>, deadline: Option<Instant>) -> Self {
        Self {
            policy,
            deadline,
            started: Instant::now(),
            attempts: 0,
        }
    }

    /// Returns how many attempts have failed.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Forgets the failures so far.
    pub(crate) fn restart(&mut self) {
        self.attempts = 0;
        self.started = Instant::now();
    }

    /// Restarts the clock if nothing has failed yet.
    pub(crate) fn restart_unless_failed(&mut self) {
        if self.attempts == 0 {
            self.restart();
        }
    }

    /// Counts a failed attempt. Returns the wait before the next one, or the error if there is
    /// none. `safe` says whether the request may be sent again.
    ///
    /// If the host is busy, this closes its `gate`, and the gate does that part of the waiting, so
    /// that retries queue with all other requests.
    pub(crate) fn delay_after(
        &mut self,
        mut error: Error,
        safe: bool,
        gate: &RateLimitGate,
    ) -> Result<Duration, Error> {
        self.attempts += 1;
        error.inner_mut().attempts = self.attempts;
        error.inner_mut().elapsed = self.started.elapsed();
        let decision = match safe {
            true => self.decide(&error),
            false => RetryDecision::GiveUp,
        };
        let is_busy = error.kind() == ErrorKind::RateLimited || error.status() == Some(503);
        let RetryDecision::RetryAfter(delay) = decision else {
            if is_busy {
                gate.close(error.retry_after().unwrap_or_default());
            }
            return Err(error);
        };
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        warn!(
            endpoint = %error.endpoint(),
            attempts = self.attempts,
            delay_ms,
            kind = ?error.kind(),
            status = error.status(),
            "{}: {}, retry {} in {:.1} s",
            error.endpoint(),
            error.reason(),
            Retry(self.attempts, self.policy.most_retries()),
            delay.as_secs_f64(),
        );
        match is_busy {
            true => Ok(delay - gate.close(delay)),
            false => Ok(delay),
        }
    }

    fn decide(&self, error: &Error) -> RetryDecision {
        let now = Instant::now();
        self.policy.decide(&Attempt {
            error,
            attempts: self.attempts,
            elapsed: now - self.started,
            remaining: self
                .deadline
                .map(|deadline| deadline.saturating_duration_since(now)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(attempts: u32, jitter: f64) -> RetryDecision {
        ExponentialBackoff::default().decision(attempts, Duration::ZERO, None, None, jitter)
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_retries_end() {
        let policy = ExponentialBackoff::default().retries(9);
        let ceilings: Vec<_> = (1..=9)
            .map(|n| policy.decision(n, Duration::ZERO, None, None, 1.0))
            .collect();
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0];
        assert_eq!(
            ceilings,
            expected.map(|s| RetryDecision::RetryAfter(Duration::from_secs_f64(s)))
        );
        assert_eq!(wait(5, 1.0), RetryDecision::RetryAfter(8 * SECOND));
        assert_eq!(wait(6, 0.0), RetryDecision::GiveUp);
        assert_eq!(wait(1, 0.0), RetryDecision::RetryAfter(Duration::ZERO));
    }

    #[test]
    fn retry_after_is_never_undercut_and_honoured_up_to_the_deadline() {
        let policy = ExponentialBackoff::default();
        let decision = |remaining, asked| policy.decision(1, SECOND, remaining, Some(asked), 0.5);
        assert_eq!(
            decision(Some(60 * SECOND), 45 * SECOND),
            RetryDecision::RetryAfter(45 * SECOND)
        );
        assert_eq!(
            decision(Some(60 * SECOND), 60 * SECOND),
            RetryDecision::GiveUp
        );
        assert_eq!(
            decision(Some(7200 * SECOND), 3600 * SECOND),
            RetryDecision::RetryAfter(3600 * SECOND)
        );
        assert_eq!(decision(None, 3600 * SECOND), RetryDecision::GiveUp);
    }

    proptest! {
        #[test]
        fn no_wait_passes_the_deadline(
            attempts in 1..10_u32, left in 0..100_000_u64, asked in 0..100_000_u64, jitter in 0.0..1.0_f64,
        ) {
            let left = Duration::from_millis(left);
            let decision = ExponentialBackoff::default()
                .decision(attempts, SECOND, Some(left), Some(Duration::from_millis(asked)), jitter);
            if let RetryDecision::RetryAfter(delay) = decision {
                prop_assert!(delay < left && delay >= Duration::from_millis(asked));
            }
        }
    }
}
