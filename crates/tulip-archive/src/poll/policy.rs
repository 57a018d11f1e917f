//! The timing of status calls.

use std::time::Duration;

/// How often and for how long a job is polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PollPolicy {
    interval: Duration,
    growth: f64,
    max_interval: Duration,
    time_limit: Option<Duration>,
}

impl Default for PollPolicy {
    /// 2 s, growing by half up to 30 s, with 20 % of jitter either way, for at most 60 min.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(2),
            growth: 1.5,
            max_interval: Duration::from_secs(30),
            time_limit: Some(Duration::from_secs(3600)),
        }
    }
}

/// The jitter on either side, as a share of the interval.
const JITTER: f64 = 0.2;

impl PollPolicy {
    /// Sets the first and the longest interval. The longest is at least the first. With a first
    /// interval of 0, calls follow each other without a pause.
    #[must_use]
    pub fn intervals(mut self, first: Duration, longest: Duration) -> Self {
        self.interval = first;
        self.max_interval = longest.max(first);
        self
    }

    /// Sets the growth factor from one interval to the next. A factor below 1, and one that is not
    /// finite, counts as 1.
    #[must_use]
    pub fn growth(mut self, factor: f64) -> Self {
        self.growth = if factor.is_finite() {
            factor.max(1.0)
        } else {
            1.0
        };
        self
    }

    /// Sets the limit on the whole wait, `None` for no limit. One last call is made at the
    /// deadline.
    #[must_use]
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit;
        self
    }

    /// The limit on the whole wait, if there is one.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// Returns the pause before call number `polls` + 1, when `waited` has passed since the first,
    /// for a jitter between 0 and 1. The last call is made at the deadline; `None` after that.
    pub(super) fn wait(&self, polls: u32, waited: Duration, jitter: f64) -> Option<Duration> {
        let grown = self.growth.powf(f64::from(polls.saturating_sub(1)));
        let longest = self.max_interval.as_secs_f64();
        let interval = (self.interval.as_secs_f64() * grown).min(longest);
        let seconds = interval * (1.0 - JITTER + 2.0 * JITTER * jitter);
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        match self.time_limit {
            Some(deadline) => (waited < deadline).then(|| delay.min(deadline - waited)),
            None => Some(delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn intervals_grow_by_half_up_to_the_longest() {
        let policy = PollPolicy::default();
        let seconds: Vec<_> = (1..=9)
            .map(|polls| {
                let delay = policy.wait(polls, Duration::ZERO, 0.5).unwrap();
                (delay.as_secs_f64() * 100.0).round() / 100.0
            })
            .collect();
        assert_eq!(
            seconds,
            [2.0, 3.0, 4.5, 6.75, 10.13, 15.19, 22.78, 30.0, 30.0]
        );
        assert_eq!(
            policy.wait(1, Duration::ZERO, 0.0),
            Some(Duration::from_millis(1600))
        );
        assert_eq!(
            policy.wait(1, Duration::ZERO, 1.0),
            Some(Duration::from_millis(2400))
        );
    }

    #[test]
    fn one_last_call_is_made_at_the_deadline() {
        let policy = PollPolicy::default().time_limit(Some(10 * SECOND));
        assert_eq!(policy.wait(4, 8 * SECOND, 0.5), Some(2 * SECOND));
        assert_eq!(policy.wait(5, 10 * SECOND, 0.5), None);
    }

    #[test]
    fn without_a_time_limit_polls_go_on() {
        let policy = PollPolicy::default().time_limit(None);
        assert_eq!(policy.limit(), None);
        assert!(policy.wait(9999, 1_000_000 * SECOND, 0.5).is_some());
    }

    proptest! {
        #[test]
        fn no_wait_passes_the_deadline_and_none_overflows(
            polls in any::<u32>(), waited in 0..200_000_u64, jitter in 0.0..1.0_f64, growth in any::<f64>(),
        ) {
            let longest = if growth > 0.0 { Duration::MAX } else { 30 * SECOND };
            let policy = PollPolicy::default()
                .intervals(2 * SECOND, longest)
                .growth(growth)
                .time_limit(Some(100 * SECOND));
            let waited = Duration::from_millis(waited);
            match policy.wait(polls, waited, jitter) {
                Some(delay) => prop_assert!(waited + delay <= 100 * SECOND),
                None => prop_assert!(waited >= 100 * SECOND),
            }
        }
    }
}
