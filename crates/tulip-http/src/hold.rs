//! One host's wish to be left alone for a while, kept by every call to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Behind the end of a hold, calls set out spread over this part of its length, so that they do not
/// all arrive at once.
const SPREAD: f64 = 0.25;

/// The longest hold: no host can stop a client for ever. Whoever calls behind it is told anew.
const LONGEST: Duration = Duration::from_secs(600);

/// Until when nothing is sent to a host that has said 429 or 503.
#[derive(Debug, Default)]
pub(crate) struct Hold(Mutex<Option<Held>>);

#[derive(Debug, Clone, Copy)]
struct Held {
    until: Instant,
    length: Duration,
}

impl Hold {
    /// Nothing is sent for `length` from now on. A hold that ends later stays.
    pub(crate) fn keep(&self, length: Duration) {
        let length = length.min(LONGEST);
        let until = Instant::now() + length;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none_or(|held| held.until < until) {
            *held = Some(Held { until, length });
        }
    }

    /// Waits until something may be sent.
    pub(crate) async fn pass(&self) {
        // What is held anew meanwhile is waited for as well.
        while let Some(held) = self.current() {
            let spread = held.length.mul_f64(SPREAD * fastrand::f64());
            tokio::time::sleep_until(held.until + spread).await;
        }
    }

    fn current(&self) -> Option<Held> {
        let held = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.filter(|held| held.until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn everybody_waits_and_a_longer_hold_is_kept() {
        let hold = Hold::default();
        let began = Instant::now();
        hold.pass().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        hold.keep(8 * SECOND);
        hold.keep(2 * SECOND);
        tokio::join!(hold.pass(), hold.pass());
        let waited = began.elapsed();
        assert!(waited >= 8 * SECOND && waited <= 10 * SECOND, "{waited:?}");
        hold.pass().await;
        assert_eq!(began.elapsed(), waited);
        hold.keep(Duration::MAX);
        hold.pass().await;
        assert!(began.elapsed() - waited <= LONGEST + LONGEST / 4);
    }
}
