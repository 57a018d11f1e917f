//! How many connections a download uses: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

use super::single_stream::SingleStream;
use super::throughput::{self, Sample};

/// A download that is large enough begins with this many, so that most lose nothing while it is found
/// out how many they need.
const FIRST: usize = 2;

/// What is compared are rounds: so many bytes, in no less time than lets a clock tell them apart,
/// or whatever comes in [`LONGEST`].
const ROUND: u64 = 4 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);

/// Twice the connections must bring at least so much to stay, and half of them at most so much less;
/// fewer more or less of them in proportion.
const GAIN: f64 = 1.4;
const LOSS: f64 = 1.2;

/// Where twice the connections bring so much, each of them is held back by itself: four times as many
/// are tried next.
const STEEP: f64 = 1.8;

/// Whoever reads waits for the connections if that takes more than this share of a round.
const AWAITED: f64 = 0.5;

/// A round can mislead, the more so the first ones behind a step up: some servers hold back the end of
/// the first reply on a connection until what came before it is acknowledged, which on Linux takes 40 ms (the
/// delayed acknowledgement of RFC 1122, section 4.2.3.2, and Nagle's algorithm), and then all that has
/// come behind it waits. A round can also be fast by chance. A step up stays where so many of so many
/// rounds show a gain.
const GAINS: u32 = 2;
const LOOKS: u32 = 5;

/// Where a step was taken back, the next one is tried after so many rounds, then after twice as many,
/// up to the most. After a failure it is the most at once.
const REST: u32 = 2;
const LONGEST_REST: u32 = 256;

/// One request for all that is left is tried only where no less comes in the time of an answer than
/// this: otherwise the host is not what is slow.
const LEAST_LEAD: f64 = 4.0 * 1024.0 * 1024.0;

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
/// number of ranges (see [`SingleStream`]). It is tried as soon as that is plain, or when more connections have
/// gained nothing; once, and it is left where it brings less.
#[derive(Debug)]
pub(super) struct ConcurrencyController {
    most: usize,
    connections: usize,
    state: State,
    /// How long the next rest is, and what is tried behind it.
    rest: u32,
    next: Step,
    stream: SingleStream,
    /// Whether one request for all that is left has been tried.
    tried_alone: bool,
    /// Whether something has failed in this round.
    failed: bool,
    /// The round.
    started: Instant,
    /// What had come when it began.
    before: Sample,
    /// How long the reader has waited in it.
    waited: Duration,
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
    /// Whether it is more than `times` as much as `other` by what each connection brings, and more also in
    /// what arrives: how much more says little, for that rises and falls with what the reader does.
    fn exceeds(self, other: Self, times: f64) -> bool {
        self.asked > other.asked * times && self.brought > other.brought
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Up,
    Alone,
    Down,
}

impl ConcurrencyController {
    /// A controller of at most `most` connections, which can have asked for `reach` bytes at once.
    pub(super) fn new(most: usize, reach: u64, now: Instant) -> Self {
        Self {
            most,
            connections: FIRST.min(most),
            // The first replies may stall as those behind a step do.
            state: State::Resting { rounds: REST },
            rest: REST,
            next: Step::Up,
            stream: SingleStream::new(reach),
            tried_alone: false,
            failed: false,
            started: now,
            before: Sample::default(),
            waited: Duration::ZERO,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether one request is to bring all that is left.
    pub(super) fn is_single_stream(&self) -> bool {
        match self.state {
            State::Alone { .. } | State::Recovering => true,
            State::Changing { from } | State::Trying { from, .. } => from.step == Step::Alone,
            State::Resting { .. } => false,
        }
    }

    /// Counts the reader's next bytes, for which it has `waited`. What all connections have
    /// brought may lie here still.
    pub(super) fn handed(&mut self, sample: Sample, waited: Duration, now: Instant) {
        self.waited += waited;
        let (bytes, took) = (sample.bytes - self.before.bytes, now - self.started);
        if (bytes < ROUND || took < SHORTEST) && took < LONGEST {
            return;
        }
        let rate = Rate {
            asked: self.connections as f64
                * throughput::rate(bytes, sample.time - self.before.time),
            brought: throughput::rate(bytes, took),
        };
        let is_awaited = self.waited.as_secs_f64() > took.as_secs_f64() * AWAITED;
        if self.connections <= FIRST || self.is_single_stream() {
            self.stream.observe(self.before, sample);
        }
        self.begin_round(sample, now);
        let unrivalled = self.stream.unrivalled();
        self.state = match unrivalled.filter(|_| is_awaited && !self.tried_alone) {
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
            State::Recovering => self.leave_alone(LONGEST_REST),
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
        is_slow_to_answer && self.stream.rate() > rate.brought && !self.tried_alone
    }

    fn try_alone(&mut self, several: f64) -> State {
        self.tried_alone = true;
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
        seen.gains += u32::from(!is_awaited || rate.brought > several);
        match seen {
            Seen { gains: GAINS.., .. } => State::Alone { several },
            Seen { looks: LOOKS.., .. } => self.leave_alone(REST),
            _ => State::Trying { from, seen },
        }
    }

    /// Goes back to several connections, which stay for so many `rounds`.
    fn leave_alone(&mut self, rounds: u32) -> State {
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

    /// Halves the connections after a failure, once in a round: requests that fail together were all sent
    /// before that, as packets that are lost together count once for TCP.
    pub(super) fn troubled(&mut self, sample: Sample, now: Instant) {
        if self.failed {
            return;
        }
        self.connections = (self.connections / 2).max(1);
        self.state = match self.is_single_stream() {
            true => State::Recovering,
            false => State::Resting {
                rounds: LONGEST_REST,
            },
        };
        self.next = Step::Up;
        self.begin_round(sample, now);
        self.failed = true;
    }

    fn try_more(&mut self, times: usize, rate: Rate) -> State {
        let more = (self.connections * times).min(self.most);
        match more == self.connections {
            true => {
                self.next = Step::Alone;
                State::Resting { rounds: REST }
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

    fn begin_round(&mut self, sample: Sample, now: Instant) {
        self.started = now;
        self.before = sample;
        self.waited = Duration::ZERO;
        self.failed = false;
    }
}

#[cfg(test)]
mod tests;
