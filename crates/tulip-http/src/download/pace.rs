//! How many connections a download uses: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

/// A download that is large enough begins with this many.
const FIRST: usize = 2;

/// What is compared are rounds: so many bytes, in no less time than lets a clock tell them apart,
/// or whatever comes in [`LONGEST`].
const ROUND: u64 = 8 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// Twice the connections must bring at least so much to stay.
const GAIN: f64 = 1.4;

/// A round can mislead: where more connections have gained nothing, they are tried again after so
/// many rounds, then twice as many, up to the most. After a failure there is more of a rest.
const REST: u32 = 8;
const LONGEST_REST: u32 = 64;
const REST_AFTER_TROUBLE: u32 = 256;

/// Counts what is handed over and decides on the connections.
///
/// The count doubles while that makes the download faster by a fifth, and goes back by a step where
/// it does not: then something else is the limit, the line, the disk or the processor. A failure
/// halves it.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    connections: usize,
    state: State,
    /// How long the next rest is.
    rest: u32,
    began: Instant,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// The connections have changed: the round in which they do says nothing.
    Changing { before: Option<f64> },
    /// A round shows whether that has gained something on `before`, in bytes a second.
    Trying { before: Option<f64> },
    /// Stays for so many rounds.
    Resting { rounds: u32 },
}

impl Pace {
    /// A pace of at most `most` connections.
    pub(super) fn new(most: usize, now: Instant) -> Self {
        Self {
            most,
            connections: FIRST.min(most),
            state: State::Changing { before: None },
            rest: REST,
            began: now,
            bytes: 0,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Counts what has been handed over.
    pub(super) fn handed(&mut self, bytes: u64, now: Instant) {
        self.bytes += bytes;
        let took = now - self.began;
        if (self.bytes < ROUND || took < SHORTEST) && took < LONGEST {
            return;
        }
        let rate = self.bytes as f64 / took.as_secs_f64();
        self.begin_round(now);
        self.state = match self.state {
            State::Changing { before } => State::Trying { before },
            State::Trying { before: None } => self.grow(rate),
            State::Trying {
                before: Some(before),
            } if rate > before * GAIN => {
                self.rest = REST;
                self.grow(rate)
            }
            State::Trying { .. } => {
                self.connections = self.connections.div_ceil(2);
                let rounds = self.rest;
                self.rest = (2 * rounds).min(LONGEST_REST);
                State::Resting { rounds }
            }
            State::Resting { rounds: 0 } => self.grow(rate),
            State::Resting { rounds } => State::Resting { rounds: rounds - 1 },
        };
    }

    /// Takes notice of failures.
    pub(super) fn troubled(&mut self, now: Instant) {
        self.connections = (self.connections / 2).max(1);
        self.state = State::Resting {
            rounds: REST_AFTER_TROUBLE,
        };
        self.begin_round(now);
    }

    fn grow(&mut self, rate: f64) -> State {
        let more = (self.connections * 2).min(self.most);
        if more == self.connections {
            return State::Resting {
                rounds: LONGEST_REST,
            };
        }
        self.connections = more;
        State::Changing { before: Some(rate) }
    }

    fn begin_round(&mut self, now: Instant) {
        self.began = now;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Hands `bytes` over at the rate, in bytes a second, that `rate` gives for the connections.
    fn run(pace: &mut Pace, now: &mut Instant, bytes: u64, rate: impl Fn(usize) -> f64) {
        for _ in 0..bytes / MIB {
            *now += Duration::from_secs_f64(MIB as f64 / rate(pace.connections()));
            pace.handed(MIB, *now);
        }
    }

    #[test]
    fn connections_that_are_each_slow_are_multiplied() {
        let mut now = Instant::now();
        let mut pace = Pace::new(16, now);
        let began = now;
        run(&mut pace, &mut now, 160 * MIB, |n| n as f64 * 90e6);
        assert_eq!(pace.connections(), 16);
        assert!(
            now - began < Duration::from_millis(700),
            "{:?}",
            now - began
        );
        run(&mut pace, &mut now, 4096 * MIB, |n| n as f64 * 90e6);
        assert_eq!(pace.connections(), 16);
    }

    #[test]
    fn where_more_connections_gain_nothing_there_are_no_more() {
        for limit in [3e6, 80e6, 3e9] {
            let mut now = Instant::now();
            let mut pace = Pace::new(16, now);
            let mut most = 0;
            for _ in 0..100 {
                run(&mut pace, &mut now, 32 * MIB, |_| limit);
                most = most.max(pace.connections());
            }
            assert!(most <= 4 && pace.connections() <= 4, "{most} at {limit}");
        }
    }

    #[test]
    fn growth_ends_where_the_line_is_full() {
        let mut now = Instant::now();
        let mut pace = Pace::new(64, now);
        run(&mut pace, &mut now, 512 * MIB, |n| {
            (n as f64 * 50e6).min(420e6)
        });
        assert_eq!(pace.connections(), 8);
    }

    #[test]
    fn trouble_halves_the_connections_and_growth_is_tried_again_later() {
        let mut now = Instant::now();
        let mut pace = Pace::new(16, now);
        let rate = |n| n as f64 * 90e6;
        run(&mut pace, &mut now, 512 * MIB, rate);
        pace.troubled(now);
        assert_eq!(pace.connections(), 8);
        run(&mut pace, &mut now, 1024 * MIB, rate);
        assert_eq!(pace.connections(), 8);
        run(&mut pace, &mut now, 4096 * MIB, rate);
        assert_eq!(pace.connections(), 16);
        for _ in 0..9 {
            pace.troubled(now);
        }
        assert_eq!(pace.connections(), 1);
    }

    #[test]
    fn one_connection_stays_one() {
        let mut now = Instant::now();
        let mut pace = Pace::new(1, now);
        run(&mut pace, &mut now, 512 * MIB, |n| n as f64 * 90e6);
        assert_eq!(pace.connections(), 1);
    }
}
