//! How many connections a download uses: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

use super::flow::Brought;

/// A download that is large enough begins with this many, so that most lose nothing while it is found
/// out how many they need.
const FIRST: usize = 2;

/// What is compared are rounds: so many bytes, in no less time than lets a clock tell them apart,
/// or whatever comes in [`LONGEST`].
const ROUND: u64 = 4 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);
/// What is divided by is no less, on clocks that do not tell two moments apart.
const LEAST_TIME: Duration = Duration::from_nanos(1);

/// Twice the connections must bring at least so much to stay, and half of them at most so much less;
/// fewer more or less of them in proportion.
const GAIN: f64 = 1.4;
const LOSS: f64 = 1.2;

/// Where twice the connections bring so much, each of them is held back by itself: four times as many
/// are tried next.
const STEEP: f64 = 1.8;

/// So much of such a difference must be seen in what arrives: no more, for that rises and falls with what
/// the reader does as well.
const ARRIVING: f64 = 0.25;

/// Whoever reads waits for the connections if that takes more than this share of the time, in the last
/// round and in the average of the rounds at this count, of which the latest has such a weight. In a single
/// round a disk that is slow can seem fast.
const AWAITED: f64 = 0.5;
const LATEST: f64 = 0.25;

/// A round can mislead, the more so the first ones behind a step up: some servers hold back the end of
/// the first reply on a connection until what came before it is acknowledged, which on Linux takes 40 ms (the
/// delayed acknowledgement of RFC 1122, section 4.2.3.2, and Nagle's algorithm), and then all that has
/// come behind it waits. A round can also be fast by chance. A step up stays where so many of so many
/// rounds show a gain.
const GAINS: u32 = 2;
const LOOKS: u32 = 5;

/// Where a step was taken back, the next one is tried after so many rounds, then after twice as many,
/// up to the most. After a failure there is more of a rest.
const REST: u32 = 2;
const LONGEST_REST: u32 = 64;
const REST_AFTER_TROUBLE: u32 = 256;

/// Watches how fast an archive comes and decides on the connections.
///
/// The count doubles while that makes the download faster by two fifths, and is multiplied by four
/// where it has made it almost twice as fast, if whoever reads waits for more than half the time:
/// otherwise the disk or the store is the limit. Where it does not, the line or the processor is, and
/// the count goes back by a step; where half of it is about as fast, it stays there: each connection
/// costs memory, and bytes that wait for their turn are no longer in the processor's cache when it
/// comes. A failure halves it.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    connections: usize,
    state: State,
    /// How long the next rest is, and what is tried behind it.
    rest: u32,
    next: Step,
    /// The round.
    began: Instant,
    /// What had come when it began.
    before: Brought,
    /// How long the reader has waited in it.
    waited: Duration,
    /// The share of its time that it has waited in the last rounds, on average.
    awaited: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// The connections have changed: the round in which they do says nothing.
    Changing { from: Tried },
    /// The rounds to come show what has come of that.
    Trying { from: Tried, seen: Seen },
    /// Stays for so many rounds.
    Resting { rounds: u32 },
}

/// What rounds have shown of a step up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Seen {
    looks: u32,
    gains: u32,
}

/// What is held against what comes of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    step: Step,
    /// What there was before it, and how many bytes a second that brought.
    connections: usize,
    rate: Rate,
}

/// Bytes a second, seen in two ways, of which each is misled by something else.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    /// What each connection brings while it is waited for, times their number. It is no less in a round
    /// in which some have nothing to do, but more where they and the host compete for a processor.
    asked: f64,
    /// What arrives.
    brought: f64,
}

impl Rate {
    /// Whether it is more than `times` as much as `other` by what each connection brings, and by some of
    /// that also in what arrives.
    fn exceeds(self, other: Self, times: f64) -> bool {
        let arriving = 1.0 + (times - 1.0) * ARRIVING;
        self.asked > other.asked * times && self.brought > other.brought * arriving
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Up,
    Down,
}

impl Pace {
    /// A pace of at most `most` connections.
    pub(super) fn new(most: usize, now: Instant) -> Self {
        Self {
            most,
            connections: FIRST.min(most),
            // The first replies may stall as those behind a step do.
            state: State::Resting { rounds: REST },
            rest: REST,
            next: Step::Up,
            began: now,
            before: Brought::default(),
            waited: Duration::ZERO,
            awaited: AWAITED,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Takes notice of the reader's next bytes, for which it has `waited`. What all connections have
    /// brought may lie here still.
    pub(super) fn handed(&mut self, brought: Brought, waited: Duration, now: Instant) {
        self.waited += waited;
        let (bytes, took) = (brought.bytes - self.before.bytes, now - self.began);
        if (bytes < ROUND || took < SHORTEST) && took < LONGEST {
            return;
        }
        let within = |time: Duration| bytes as f64 / time.max(LEAST_TIME).as_secs_f64();
        let rate = Rate {
            asked: self.connections as f64 * within(brought.time - self.before.time),
            brought: within(took),
        };
        let awaited = self.waited.as_secs_f64() / took.max(LEAST_TIME).as_secs_f64();
        self.awaited = match self.state {
            State::Changing { .. } => awaited,
            _ => self.awaited + (awaited - self.awaited) * LATEST,
        };
        let is_awaited = awaited.min(self.awaited) > AWAITED;
        self.begin_round(brought, now);
        self.state = match self.state {
            State::Changing { from } => {
                let seen = Seen::default();
                State::Trying { from, seen }
            }
            State::Trying { from, seen } => match from.step {
                Step::Up => self.judge_more(from, seen, rate, is_awaited),
                Step::Down => self.judge_fewer(from, rate),
            },
            State::Resting {
                rounds: rounds @ 1..,
            } => State::Resting { rounds: rounds - 1 },
            _ if self.next == Step::Down || !is_awaited => self.try_fewer(rate),
            _ => self.try_more(2, rate),
        };
    }

    /// Keeps more connections that have shown often enough that they gain something, and takes them back
    /// when they have had their chances.
    fn judge_more(&mut self, from: Tried, mut seen: Seen, rate: Rate, is_awaited: bool) -> State {
        let share = self.connections as f64 / from.connections as f64 - 1.0;
        seen.looks += 1;
        seen.gains += u32::from(rate.exceeds(from.rate, 1.0 + share * (GAIN - 1.0)));
        if seen.gains < GAINS {
            if seen.looks < LOOKS {
                return State::Trying { from, seen };
            }
            self.connections = from.connections;
            self.next = Step::Down;
            return self.rest();
        }
        self.rest = REST;
        if is_awaited {
            let is_steep = rate.exceeds(from.rate, 1.0 + share * (STEEP - 1.0));
            return self.try_more(if is_steep { 4 } else { 2 }, rate);
        }
        self.next = Step::Up;
        self.rest()
    }

    /// Keeps fewer connections unless the others are missed.
    fn judge_fewer(&mut self, from: Tried, rate: Rate) -> State {
        let share = from.connections as f64 / self.connections as f64 - 1.0;
        if from.rate.exceeds(rate, 1.0 + share * (LOSS - 1.0)) {
            self.connections = from.connections;
        }
        self.next = Step::Up;
        self.rest()
    }

    /// Stays, and longer next time.
    fn rest(&mut self) -> State {
        let rounds = self.rest;
        self.rest = (2 * rounds).min(LONGEST_REST);
        State::Resting { rounds }
    }

    /// Takes notice of failures.
    pub(super) fn troubled(&mut self, brought: Brought, now: Instant) {
        self.connections = (self.connections / 2).max(1);
        self.state = State::Resting {
            rounds: REST_AFTER_TROUBLE,
        };
        self.next = Step::Up;
        self.begin_round(brought, now);
    }

    fn try_more(&mut self, times: usize, rate: Rate) -> State {
        let more = (self.connections * times).min(self.most);
        match more == self.connections {
            true => {
                self.next = Step::Down;
                State::Resting {
                    rounds: LONGEST_REST,
                }
            }
            false => self.change(more, Step::Up, rate),
        }
    }

    fn try_fewer(&mut self, rate: Rate) -> State {
        self.next = Step::Up;
        match self.connections {
            ..=1 => State::Resting { rounds: 0 },
            connections => self.change(connections / 2, Step::Down, rate),
        }
    }

    fn change(&mut self, connections: usize, step: Step, rate: Rate) -> State {
        let before = std::mem::replace(&mut self.connections, connections);
        let from = Tried {
            step,
            connections: before,
            rate,
        };
        State::Changing { from }
    }

    fn begin_round(&mut self, brought: Brought, now: Instant) {
        self.began = now;
        self.before = brought;
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
        brought: Brought,
    }

    impl Line {
        fn new(most: usize) -> Self {
            let now = Instant::now();
            Self {
                pace: Pace::new(most, now),
                now,
                brought: Brought::default(),
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
            self.brought.bytes += MIB;
            self.brought.time += took * u32::try_from(self.pace.connections()).unwrap();
            self.pace.handed(self.brought, waited, self.now);
        }

        fn fails(&mut self) {
            self.pace.troubled(self.brought, self.now);
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
    fn a_stall_behind_a_step_up_is_not_taken_for_no_gain() {
        let mut line = Line::new(16);
        let (mut connections, mut stalled) = (line.pace.connections(), 0);
        while line.brought.bytes < 512 * MIB {
            let now = line.pace.connections();
            if now != connections {
                assert!(now > connections, "{now} behind {connections}");
                (connections, stalled) = (now, 16);
            }
            let share = if stalled > 0 { 0.2 } else { 1.0 };
            line.run(MIB, |n| n as f64 * 90e6 * share);
            stalled -= i32::from(stalled > 0);
        }
        assert_eq!(connections, 16);
    }

    #[test]
    fn a_single_fast_round_behind_a_step_up_is_not_taken_for_a_gain() {
        let mut line = Line::new(16);
        let (mut connections, mut blocks) = (line.pace.connections(), 0);
        for _ in 0..4096 {
            let now = line.pace.connections();
            assert!(now <= 4, "{now}");
            if now != connections {
                (connections, blocks) = (now, 0);
            }
            blocks += 1;
            let is_fast = now == 4 && (6..15).contains(&blocks);
            line.run(MIB, |_| if is_fast { 360e6 } else { 180e6 });
        }
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
            assert!(line.pace.connections() <= 2);
        }
        assert_eq!(line.pace.connections(), 1);
        // And as soon as that has changed they are.
        line.run(64 * MIB, |n| n as f64 * 90e6);
        assert!(line.pace.connections() > 2);
    }

    #[test]
    fn a_single_round_that_is_waited_for_brings_no_more() {
        let mut line = Line::new(16);
        let took = Duration::from_millis(10);
        for block in 0..1000 {
            let is_awaited = block % 40 < 5;
            line.brings_block(took, if is_awaited { took } else { took / 5 });
            assert!(
                block < 200 || line.pace.connections() == 1,
                "at block {block}"
            );
        }
    }

    #[test]
    fn where_more_only_wait_less_each_there_are_no_more() {
        let mut line = Line::new(16);
        let took = Duration::from_millis(10);
        for _ in 0..4096 {
            line.now += took;
            line.brought.bytes += MIB;
            // Together they are waited for as long as one of them was.
            line.brought.time += took;
            line.pace.handed(line.brought, took, line.now);
            assert!(line.pace.connections() <= 4);
        }
        assert_eq!(line.pace.connections(), 1);
    }

    #[test]
    fn growth_ends_where_the_line_is_full() {
        let mut line = Line::new(64);
        let mut blocks = std::collections::BTreeMap::new();
        for _ in 0..4096 {
            line.run(MIB, |n| (n as f64 * 50e6).min(420e6));
            *blocks.entry(line.pace.connections()).or_insert(0) += 1;
        }
        assert!(blocks[&8] > 3400, "{blocks:?}");
    }

    #[test]
    fn what_was_gained_by_chance_is_given_up_again() {
        let mut line = Line::new(16);
        // The line gets faster while more are tried, and then slower again.
        line.run(96 * MIB, |n| n as f64 * 90e6);
        assert!(line.pace.connections() > 4);
        line.run(2048 * MIB, |_| 180e6);
        let mut most = 0;
        for _ in 0..512 {
            line.run(MIB, |_| 180e6);
            most = most.max(line.pace.connections());
        }
        assert!(most <= 4, "{most}");
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
        let mut most = 0;
        for _ in 0..16 * 1024 {
            line.run(MIB, rate);
            most = most.max(line.pace.connections());
        }
        assert_eq!(most, 16);
        for _ in 0..9 {
            line.fails();
        }
        assert_eq!(line.pace.connections(), 1);
    }

    #[test]
    fn as_many_as_may_be_are_used_whatever_their_number() {
        for most in [2, 3, 5, 7, 9, 10, 11, 16] {
            let mut line = Line::new(most);
            line.run(512 * MIB, |n| n as f64 * 90e6);
            let mut blocks = 0;
            for _ in 0..4096 {
                line.run(MIB, |n| n as f64 * 90e6);
                blocks += u32::from(line.pace.connections() == most);
            }
            assert!(blocks > 3400, "{blocks} with {most}");
        }
    }

    #[test]
    fn one_connection_stays_one() {
        let mut line = Line::new(1);
        line.run(512 * MIB, |n| n as f64 * 90e6);
        assert_eq!(line.pace.connections(), 1);
    }
}
