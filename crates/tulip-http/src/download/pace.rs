//! How many connections a download uses: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

use super::flow::Brought;
use super::stream::Stream;

/// A download that is large enough begins with this many, so that most lose nothing while it is found
/// out how many they need.
const FIRST: usize = 2;

/// What is compared are rounds: so many bytes, in no less time than lets a clock tell them apart,
/// or whatever comes in [`LONGEST`].
const ROUND: u64 = 4 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);
/// What is divided by is no less, on clocks that do not tell two moments apart.
pub(super) const LEAST_TIME: Duration = Duration::from_nanos(1);

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

/// One request for all that is left is tried where it promises so many times what several bring, if no less
/// comes in the time of an answer than this: otherwise the host is not what is slow. It must bring at least
/// so many times as much to stay.
const PROMISE: f64 = 1.25;
const LEAST_LEAD: f64 = 4.0 * 1024.0 * 1024.0;
const GAIN_ALONE: f64 = 1.1;

/// The rounds before that is tried with the most connections, and those before it is tried again where it
/// has failed: then twice as many, up to the most.
const REST_AT_MOST: u32 = 8;
const REST_ALONE: u32 = 64;
const LONGEST_REST_ALONE: u32 = 4096;

/// Watches how fast an archive comes and decides on the connections.
///
/// The count doubles while that makes the download faster by two fifths, and is multiplied by four
/// where it has made it almost twice as fast, if whoever reads waits for more than half the time:
/// otherwise the disk or the store is the limit. Where it does not, the line or the processor is, and
/// the count goes back by a step; where half of it is about as fast, it stays there: each connection
/// costs memory, and bytes that wait for their turn are no longer in the processor's cache when it
/// comes. A failure halves it.
///
/// Where the host is slow to answer and then fast, one request for all that is left can be faster than any
/// number of ranges (see [`Stream`]). It is tried as soon as that is plain, or when more connections have
/// gained nothing, and left where it brings less.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    connections: usize,
    state: State,
    /// How long the next rest is, and what is tried behind it.
    rest: u32,
    next: Step,
    stream: Stream,
    /// The rounds until one request may be tried, and how many there are after the next failure.
    not_alone: u32,
    rest_alone: u32,
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
    /// One request brings all, as long as it brings more than several would, in bytes a second.
    Alone { several: f64 },
    /// It has failed. To leave it before it goes on would take its waits between attempts from it.
    Recovering,
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
    Alone,
    Down,
}

impl Pace {
    /// A pace of at most `most` connections, which can have asked for `reach` bytes at once.
    pub(super) fn new(most: usize, reach: u64, now: Instant) -> Self {
        Self {
            most,
            connections: FIRST.min(most),
            // The first replies may stall as those behind a step do.
            state: State::Resting { rounds: REST },
            rest: REST,
            next: Step::Up,
            stream: Stream::new(reach),
            not_alone: 0,
            rest_alone: REST_ALONE,
            began: now,
            before: Brought::default(),
            waited: Duration::ZERO,
            awaited: AWAITED,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether one request is to bring all that is left.
    pub(super) fn is_alone(&self) -> bool {
        match self.state {
            State::Alone { .. } | State::Recovering => true,
            State::Changing { from } | State::Trying { from, .. } => from.step == Step::Alone,
            State::Resting { .. } => false,
        }
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
        if self.connections <= FIRST || self.is_alone() {
            self.stream.observe(self.before, brought);
        }
        self.not_alone = self.not_alone.saturating_sub(1);
        self.begin_round(brought, now);
        let unrivalled = self.stream.unrivalled();
        self.state = match unrivalled.filter(|_| is_awaited && self.may_be_alone()) {
            Some(bound) => self.try_alone(bound),
            None => self.judge(rate, is_awaited),
        };
    }

    /// What comes of a round.
    fn judge(&mut self, rate: Rate, is_awaited: bool) -> State {
        match self.state {
            State::Changing { from } => {
                let seen = Seen::default();
                State::Trying { from, seen }
            }
            State::Trying { from, seen } => match from.step {
                Step::Up => self.judge_more(from, seen, rate, is_awaited),
                Step::Alone => self.judge_alone(from, seen, rate, is_awaited),
                Step::Down => self.judge_fewer(from, rate),
            },
            State::Alone { several } if self.stream.rate() > several => State::Alone { several },
            State::Alone { .. } => self.leave_alone(REST),
            State::Recovering => self.leave_alone(REST_AFTER_TROUBLE),
            State::Resting {
                rounds: rounds @ 1..,
            } => State::Resting { rounds: rounds - 1 },
            _ if !is_awaited => self.try_fewer(rate),
            _ if self.next == Step::Alone && self.promises_more_alone(rate) => {
                self.try_alone(rate.brought)
            }
            _ => match self.next {
                Step::Up => self.try_more(2, rate),
                Step::Alone if self.connections == self.most => {
                    self.next = Step::Down;
                    State::Resting {
                        rounds: LONGEST_REST,
                    }
                }
                Step::Alone | Step::Down => self.try_fewer(rate),
            },
        }
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
            self.next = Step::Alone;
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

    /// Whether one request is worth trying against what several bring.
    fn promises_more_alone(&self, rate: Rate) -> bool {
        let is_slow_to_answer = self.stream.lead() > LEAST_LEAD;
        is_slow_to_answer && self.stream.rate() > rate.brought * PROMISE && self.may_be_alone()
    }

    fn may_be_alone(&self) -> bool {
        !self.is_alone() && self.not_alone == 0
    }

    fn try_alone(&mut self, several: f64) -> State {
        let rate = Rate {
            asked: several,
            brought: several,
        };
        self.change(self.connections, Step::Alone, rate)
    }

    /// Keeps one request if it has shown often enough that it brings more than several, or as much as the
    /// reader takes.
    fn judge_alone(&mut self, from: Tried, mut seen: Seen, rate: Rate, is_awaited: bool) -> State {
        let several = from.rate.brought;
        seen.looks += 1;
        seen.gains += u32::from(!is_awaited || rate.brought > several * GAIN_ALONE);
        match seen {
            Seen { gains: GAINS.., .. } => State::Alone { several },
            Seen { looks: LOOKS.., .. } => self.leave_alone(REST),
            _ => State::Trying { from, seen },
        }
    }

    /// Goes back to several connections, which stay for so many `rounds`, and for longer next time before
    /// one request is tried again.
    fn leave_alone(&mut self, rounds: u32) -> State {
        self.not_alone = self.rest_alone;
        self.rest_alone = (2 * self.rest_alone).min(LONGEST_REST_ALONE);
        self.rest = REST;
        self.next = Step::Up;
        State::Resting { rounds }
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
        self.state = match self.is_alone() {
            true => State::Recovering,
            false => State::Resting {
                rounds: REST_AFTER_TROUBLE,
            },
        };
        self.next = Step::Up;
        self.begin_round(brought, now);
    }

    fn try_more(&mut self, times: usize, rate: Rate) -> State {
        let more = (self.connections * times).min(self.most);
        match more == self.connections {
            true => {
                self.next = Step::Alone;
                State::Resting {
                    rounds: REST_AT_MOST,
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
        /// What the last request has asked for up to now, and what has come by one request for all.
        asked: u64,
        alone: u64,
    }

    /// Brings each connection `each` bytes a second, and all of them, which are answered at the same time,
    /// no more than `line`; of each reply the first `burst` bytes as fast as the line does.
    #[derive(Clone, Copy)]
    struct Host {
        answer: Duration,
        each: f64,
        line: f64,
        burst: u64,
    }

    impl Line {
        fn new(most: usize) -> Self {
            let now = Instant::now();
            Self {
                pace: Pace::new(most, most as u64 * MIB, now),
                now,
                brought: Brought::default(),
                asked: 0,
                alone: 0,
            }
        }

        /// Brings `bytes` from a host that is slow to answer.
        fn run_from(&mut self, bytes: u64, host: Host) {
            for _ in 0..bytes / MIB {
                let is_alone = self.pace.is_alone();
                self.asked = if is_alone { self.asked + MIB } else { MIB };
                let n = if is_alone { 1 } else { self.pace.connections() };
                let each = match self.asked <= host.burst {
                    true => host.line,
                    false => host.each,
                };
                let answer = match self.asked {
                    MIB => host.answer,
                    _ => Duration::ZERO,
                };
                let rate = each.min(host.line / n as f64);
                let time = answer + Duration::from_secs_f64(MIB as f64 / rate);
                let took = time / u32::try_from(n).unwrap();
                self.brought.answers += u32::from(self.asked == MIB);
                self.brought.answering += answer;
                self.brought.shortest_answer = host.answer;
                self.brought.time += time;
                self.alone += u64::from(is_alone) * MIB;
                self.hands(took, took);
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
            self.brought.time += took * u32::try_from(self.pace.connections()).unwrap();
            self.hands(took, waited);
        }

        fn hands(&mut self, took: Duration, waited: Duration) {
            self.now += took;
            self.brought.bytes += MIB;
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

    const SLOW_TO_ANSWER: Host = Host {
        answer: Duration::from_millis(37),
        each: f64::INFINITY,
        line: 1200e6,
        burst: 0,
    };

    #[test]
    fn one_request_brings_all_where_more_comes_in_the_time_of_an_answer_than_can_be_held() {
        let mut line = Line::new(16);
        line.run_from(1024 * MIB, SLOW_TO_ANSWER);
        assert!(line.pace.is_alone());
        assert!(line.alone > 980 * MIB, "{}", line.alone / MIB);
    }

    #[test]
    fn one_request_brings_all_where_it_is_faster_than_the_most_connections() {
        let mut line = Line::new(16);
        let host = Host {
            line: 800e6,
            ..SLOW_TO_ANSWER
        };
        line.run_from(1024 * MIB, host);
        assert!(line.pace.is_alone());
        let before = 1024 - line.alone / MIB;
        assert!((64..192).contains(&before), "{before}");
    }

    #[test]
    fn one_request_is_not_tried_where_each_connection_is_held_back() {
        let mut line = Line::new(16);
        let host = Host {
            answer: Duration::from_millis(30),
            each: 90e6,
            ..SLOW_TO_ANSWER
        };
        line.run_from(4096 * MIB, host);
        assert_eq!((line.alone, line.pace.connections()), (0, 16));
    }

    #[test]
    fn one_request_is_not_tried_where_the_host_answers_at_once() {
        let mut line = Line::new(16);
        let host = Host {
            answer: Duration::from_micros(300),
            ..SLOW_TO_ANSWER
        };
        line.run_from(4096 * MIB, host);
        assert_eq!(line.alone, 0);
    }

    #[test]
    fn one_request_is_left_where_only_its_beginning_is_fast_and_seldom_tried_again() {
        let mut line = Line::new(16);
        let host = Host {
            each: 90e6,
            burst: 8 * MIB,
            ..SLOW_TO_ANSWER
        };
        line.run_from(1024 * MIB, host);
        assert!(line.alone > 0 && !line.pace.is_alone());
        assert_eq!(line.pace.connections(), 16);
        line.alone = 0;
        line.run_from(15 * 1024 * MIB, host);
        assert!(line.alone < 150 * MIB, "{}", line.alone / MIB);
    }

    #[test]
    fn one_request_stays_where_the_reader_is_what_is_slow() {
        let mut line = Line::new(16);
        line.run_from(64 * MIB, SLOW_TO_ANSWER);
        assert!(line.pace.is_alone());
        for _ in 0..1000 {
            line.brought.time += Duration::from_millis(1);
            line.hands(Duration::from_millis(10), Duration::from_millis(1));
            assert!(line.pace.is_alone());
        }
    }

    #[test]
    fn one_request_that_fails_is_left_when_it_has_recovered() {
        let mut line = Line::new(16);
        line.run_from(64 * MIB, SLOW_TO_ANSWER);
        line.fails();
        assert!(line.pace.is_alone());
        line.run_from(32 * MIB, SLOW_TO_ANSWER);
        assert!(!line.pace.is_alone());
        assert_eq!(line.pace.connections(), 1);
        line.run_from(1024 * MIB, SLOW_TO_ANSWER);
        assert!(line.pace.is_alone());
    }

    #[test]
    fn one_connection_stays_one() {
        let mut line = Line::new(1);
        line.run(512 * MIB, |n| n as f64 * 90e6);
        assert_eq!(line.pace.connections(), 1);
    }
}
