//! The minimum rate of a connection.

use std::time::Duration;

/// A connection that delivers fewer bytes per second over a whole window ends the download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MinimumRate {
    bytes: u64,
    window: Duration,
}

impl MinimumRate {
    /// 1 KiB/s over 5 min: slower than any modem, and longer than any pause of a host.
    pub(crate) const DEFAULT: Self = Self {
        bytes: 1024 * 300,
        window: Duration::from_secs(300),
    };

    pub(crate) fn new(bytes_per_second: u64, window: Duration) -> Self {
        let bytes = bytes_per_second as f64 * window.as_secs_f64();
        Self {
            // The cast saturates.
            bytes: bytes as u64,
            window,
        }
    }
}

/// Watches the rate of one connection over all its requests.
#[derive(Debug)]
pub(super) struct RateWatch {
    least: Option<MinimumRate>,
    bytes: u64,
    waited: Duration,
    too_slow: bool,
}

impl RateWatch {
    pub(super) fn new(least: Option<MinimumRate>) -> Self {
        Self {
            least,
            bytes: 0,
            waited: Duration::ZERO,
            too_slow: false,
        }
    }

    /// Whether the rate was too low. Another request would be no faster.
    pub(super) fn is_too_slow(&self) -> bool {
        self.too_slow
    }

    /// Counts `bytes` for which the connection was `waited` for.
    ///
    /// # Errors
    /// A message with the rate, if too few bytes came in the window that ends here.
    pub(super) fn add(&mut self, bytes: usize, waited: Duration) -> Result<(), String> {
        let Some(least) = self.least else {
            return Ok(());
        };
        self.bytes += bytes as u64;
        self.waited += waited;
        if self.waited < least.window {
            return Ok(());
        }
        let (came, waited) = (self.bytes, self.waited.as_secs());
        (self.bytes, self.waited) = (0, Duration::ZERO);
        self.too_slow = came < least.bytes;
        match self.too_slow {
            true => Err(format!("only {came} bytes came in {waited} s")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_trickle_is_ended_after_the_window_and_no_earlier() {
        let mut watch = RateWatch::new(Some(MinimumRate::new(1024, 10 * SECOND)));
        for _ in 0..9 {
            assert_eq!(watch.add(1023, SECOND), Ok(()));
        }
        let few = watch.add(1023, SECOND).unwrap_err();
        assert_eq!(few, "only 10230 bytes came in 10 s");
    }

    #[test]
    fn what_is_fast_enough_goes_on_for_ever_and_a_pause_is_made_up_for() {
        let mut watch = RateWatch::new(Some(MinimumRate::new(1024, 10 * SECOND)));
        for _ in 0..100 {
            assert_eq!(watch.add(10 * 1024, 5 * SECOND), Ok(()));
        }
        assert_eq!(watch.add(10 * 1024, Duration::ZERO), Ok(()));
        assert_eq!(watch.add(0, 300 * SECOND), Ok(()));
        assert!(watch.add(0, 300 * SECOND).is_err());
    }

    #[test]
    fn without_a_minimum_anything_goes() {
        assert_eq!(RateWatch::new(None).add(0, Duration::MAX), Ok(()));
        let absurd = MinimumRate::new(u64::MAX, Duration::MAX);
        assert_eq!(RateWatch::new(Some(absurd)).add(0, SECOND), Ok(()));
    }
}
