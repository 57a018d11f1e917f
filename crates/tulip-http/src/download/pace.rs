//! How many connections a download uses: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

/// A download that is large enough begins with this many.
const FIRST: usize = 2;

/// What is compared are rounds: so many bytes, in no less time than lets a clock tell them apart,
/// or whatever comes in [`LONGEST`].
const ROUND: u64 = 8 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(1);

/// Twice the connections must bring at least so much to stay.
const GAIN: f64 = 1.4;

/// A round can mislead: where more connections have gained nothing, they are tried again after so
/// many rounds, then twice as many, up to the most. After a failure there is more of a rest.
const REST: u32 = 2;
const LONGEST_REST: u32 = 64;
const REST_AFTER_TROUBLE: u32 = 256;

/// Watches how fast an archive comes and decides on the connections.
///
/// The count doubles while that makes the download faster by two fifths, and goes back by a step
/// where it does not: then something else is the limit, the line or the processor. It stays where
/// whoever reads waits for less than half the time: then the disk or the store is. A failure halves it.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    connections: usize,
    state: State,
    /// How long the next rest is.
    rest: u32,
    /// The round.
    began: Instant,
    /// What had come when it began.
    received: u64,
    /// How long the reader has waited in it.
    waited: Duration,
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
            received: 0,
            waited: Duration::ZERO,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Takes notice of the reader's next bytes: `received` have come in all, of which some may lie here
    /// still, and for these it has `waited`.
    pub(super) fn handed(&mut self, received: u64, waited: Duration, now: Instant) {
        self.waited += waited;
        let (bytes, took) = (received - self.received, now - self.began);
        if (bytes < ROUND || took < SHORTEST) && took < LONGEST {
            return;
        }
        let rate = bytes as f64 / took.as_secs_f64();
        let is_awaited = self.waited > took / 2;
        self.begin_round(received, now);
        self.state = match self.state {
            State::Changing { before } => State::Trying { before },
            State::Trying { before: None } if is_awaited => self.grow(rate),
            State::Trying { before: None } => State::Resting { rounds: 0 },
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
            State::Resting { rounds: 0 } if is_awaited => self.grow(rate),
            State::Resting { rounds } => State::Resting {
                rounds: rounds.saturating_sub(1),
            },
        };
    }

    /// Takes notice of failures.
    pub(super) fn troubled(&mut self, received: u64, now: Instant) {
        self.connections = (self.connections / 2).max(1);
        self.state = State::Resting {
            rounds: REST_AFTER_TROUBLE,
        };
        self.begin_round(received, now);
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

    fn begin_round(&mut self, received: u64, now: Instant) {
        self.began = now;
        self.received = received;
        self.waited = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A download whose reader waits for all of it.
    struct Line {
        pace: Pace,
        now: Instant,
        received: u64,
    }

    impl Line {
        fn new(most: usize) -> Self {
            let now = Instant::now();
            Self {
                pace: Pace::new(most, now),
                now,
                received: 0,
            }
        }

        /// Brings `bytes` at the rate, in bytes a second, that `rate` gives for the connections.
        fn run(&mut self, bytes: u64, rate: impl Fn(usize) -> f64) {
            for _ in 0..bytes / MIB {
                let took = Duration::from_secs_f64(MIB as f64 / rate(self.pace.connections()));
                self.brings_block(took, took);
            }
        }

        fn brings_block(&mut self, took: Duration, waited: Duration) {
            self.now += took;
            self.received += MIB;
            self.pace.handed(self.received, waited, self.now);
        }

        fn fails(&mut self) {
            self.pace.troubled(self.received, self.now);
        }
    }

    #[test]
    fn connections_that_are_each_slow_are_multiplied() {
        let mut line = Line::new(16);
        let began = line.now;
        line.run(160 * MIB, |n| n as f64 * 90e6);
        assert_eq!(line.pace.connections(), 16);
        let took = line.now - began;
        assert!(took < Duration::from_millis(700), "{took:?}");
        line.run(4096 * MIB, |n| n as f64 * 90e6);
        assert_eq!(line.pace.connections(), 16);
    }

    #[test]
    fn where_more_connections_gain_nothing_there_are_no_more() {
        for limit in [3e6, 80e6, 3e9] {
            let mut line = Line::new(16);
            let mut most = 0;
            for _ in 0..100 {
                line.run(32 * MIB, |_| limit);
                most = most.max(line.pace.connections());
            }
            let last = line.pace.connections();
            assert!(most <= 4 && last <= 4, "{most} at {limit}");
        }
    }

    #[test]
    fn where_the_reader_is_what_is_slow_no_more_are_tried() {
        let mut line = Line::new(16);
        let took = Duration::from_millis(10);
        for _ in 0..1000 {
            line.brings_block(took, took / 4);
            assert_eq!(line.pace.connections(), 2);
        }
        // And as soon as that has changed they are.
        line.run(64 * MIB, |n| n as f64 * 90e6);
        assert!(line.pace.connections() > 2);
    }

    #[test]
    fn growth_ends_where_the_line_is_full() {
        let mut line = Line::new(64);
        line.run(512 * MIB, |n| (n as f64 * 50e6).min(420e6));
        assert_eq!(line.pace.connections(), 8);
    }

    #[test]
    fn trouble_halves_the_connections_and_growth_is_tried_again_later() {
        let mut line = Line::new(16);
        let rate = |n| n as f64 * 90e6;
        line.run(512 * MIB, rate);
        line.fails();
        assert_eq!(line.pace.connections(), 8);
        line.run(1024 * MIB, rate);
        assert_eq!(line.pace.connections(), 8);
        line.run(16 * 1024 * MIB, rate);
        assert_eq!(line.pace.connections(), 16);
        for _ in 0..9 {
            line.fails();
        }
        assert_eq!(line.pace.connections(), 1);
    }

    #[test]
    fn one_connection_stays_one() {
        let mut line = Line::new(1);
        line.run(512 * MIB, |n| n as f64 * 90e6);
        assert_eq!(line.pace.connections(), 1);
    }
}
