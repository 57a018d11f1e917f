//! The number of connections of a download: as many as make it faster.

use std::time::Duration;

use tokio::time::Instant;

use super::single_stream::SingleStream;
use super::throughput::{self, Sample};

/// The number of connections at the start of a large download.
const FIRST: usize = 2;

/// A measurement round ends after [`ROUND`] bytes and at least [`SHORTEST`], or after [`LONGEST`].
const ROUND: u64 = 4 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);

/// Doubling is kept if throughput grows by at least [`GAIN`], halving if it drops by at most
/// [`LOSS`]. Other steps need a proportional change.
const GAIN: f64 = 1.4;
const LOSS: f64 = 1.2;

/// If doubling gains this much, each connection is limited on its own, and the next step quadruples
/// the connections.
const STEEP: f64 = 1.8;

/// The connections are the limit if the reader waits for more than this share of a round.
const AWAITED: f64 = 0.5;

/// A step up is kept if [`GAINS`] of [`LOOKS`] rounds show a gain. Single rounds are noisy, the
/// first ones after a step most of all: some servers hold back the end of the first reply on a
/// connection until the data before it is acknowledged, which takes 40 ms on Linux (delayed
/// acknowledgements, RFC 1122 section 4.2.3.2, with Nagle's algorithm).
const GAINS: u32 = 2;
const LOOKS: u32 = 5;

/// How many rounds to rest between steps. Doubles with each rest, up to [`LONGEST_REST`], which
/// also follows a failure.
const REST: u32 = 2;
const LONGEST_REST: u32 = 256;

/// When its turn comes, one request for the rest is tried only if a connection can deliver more
/// than this in the time of an answer; otherwise the host is not slow to answer.
const LEAST_LEAD: f64 = 4.0 * 1024.0 * 1024.0;

/// Chooses the number of connections by hill climbing on the measured throughput.
///
/// While the reader waits for the connections, the number is doubled, and quadrupled after a steep
/// gain. A step that gains too little is taken back. Then half as many connections are tried, and
/// kept if they are about as fast: each connection costs memory, and blocks that wait for their
/// turn fall out of the processor's cache. A failure halves the number.
///
/// If a host is slow to answer but fast to send, one request for the rest can be faster than any
/// number of ranges (see [`SingleStream`]). It is tried once, as soon as the rates suggest it or
/// when more connections have gained nothing, and abandoned if it is slower.
#[derive(Debug)]
pub(super) struct ConcurrencyController {
    most: usize,
    connections: usize,
    state: State,
    /// How many rounds the next rest takes, and the step after it.
    rest: u32,
    next: Step,
    stream: SingleStream,
    /// Whether one request for the rest has been tried.
    tried_single_stream: bool,
    /// Whether something has failed in this round.
    failed: bool,
    /// When the round started.
    started: Instant,
    /// The sample at its start.
    before: Sample,
    /// How long the reader has waited during the round.
    waited: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// The number of connections has just changed: this round says nothing about it.
    Changing { from: Tried },
    /// The next rounds show the effect of the step.
    Trying { from: Tried, seen: Seen },
    /// Keeps the connections for this many rounds.
    Resting { rounds: u32 },
    /// One request fetches the rest, as long as it is faster than several, in bytes per second.
    SingleStream { several: f64 },
    /// The single request has failed and is being retried: leaving it now would skip the waits
    /// between its attempts.
    Recovering,
}

/// The results of the rounds after a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Seen {
    looks: u32,
    gains: u32,
}

/// The baseline that a step is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    step: Step,
    /// The connections before the step, and their throughput.
    connections: usize,
    rate: Rate,
}

/// Bytes per second, measured in two ways, each of which is misled by something else.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    /// The rate of each connection while it is waited for, times their number. Idle connections do
    /// not lower it, but it rises if they and the host compete for a processor.
    asked: f64,
    /// The rate at which bytes arrive in all.
    brought: f64,
}

impl Rate {
    /// Whether each connection delivers more than `times` as much as in `other`, and more arrives
    /// in all. How much more arrives says little, because that depends on the reader.
    fn exceeds(self, other: Self, times: f64) -> bool {
        self.asked > other.asked * times && self.brought > other.brought
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Up,
    SingleStream,
    Down,
}

impl ConcurrencyController {
    /// Creates a controller of at most `most` connections, which can request `reach` bytes at once.
    pub(super) fn new(most: usize, reach: u64, now: Instant) -> Self {
        Self {
            most,
            connections: FIRST.min(most),
            // The first replies may stall like those after a step.
            state: State::Resting { rounds: REST },
            rest: REST,
            next: Step::Up,
            stream: SingleStream::new(reach),
            tried_single_stream: false,
            failed: false,
            started: now,
            before: Sample::default(),
            waited: Duration::ZERO,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether one request should fetch the rest.
    pub(super) fn is_single_stream(&self) -> bool {
        match self.state {
            State::SingleStream { .. } | State::Recovering => true,
            State::Changing { from } | State::Trying { from, .. } => {
                from.step == Step::SingleStream
            }
            State::Resting { .. } => false,
        }
    }

    /// Records that the reader took bytes for which it `waited`. The sample may include bytes that
    /// have not been handed over.
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
        self.state = match unrivalled.filter(|_| is_awaited && !self.tried_single_stream) {
            Some(bound) => self.try_single_stream(bound),
            None => self.judge(rate, is_awaited),
        };
    }

    /// Returns the state after a round.
    fn judge(&mut self, rate: Rate, is_awaited: bool) -> State {
        match self.state {
            State::Changing { from } => {
                let seen = Seen::default();
                State::Trying { from, seen }
            }
            State::Trying { from, seen } => match from.step {
                Step::Up => self.judge_more(from, seen, rate, is_awaited),
                Step::SingleStream => self.judge_single_stream(from, seen, rate, is_awaited),
                Step::Down => self.judge_fewer(from, rate),
            },
            State::SingleStream { several } if self.stream.rate() > several => {
                State::SingleStream { several }
            }
            State::SingleStream { .. } => self.leave_single_stream(REST),
            State::Recovering => self.leave_single_stream(LONGEST_REST),
            State::Resting {
                rounds: rounds @ 1..,
            } => State::Resting { rounds: rounds - 1 },
            _ if !is_awaited => self.try_fewer(rate),
            _ if self.next == Step::SingleStream && self.favours_single_stream(rate) => {
                self.try_single_stream(rate.brought)
            }
            _ => match self.next {
                Step::Up => self.try_more(2, rate),
                Step::SingleStream if self.connections == self.most => {
                    self.next = Step::Down;
                    State::Resting {
                        rounds: LONGEST_REST,
                    }
                }
                Step::SingleStream | Step::Down => self.try_fewer(rate),
            },
        }
    }

    /// Keeps more connections once enough rounds have shown a gain, and takes them back after
    /// [`LOOKS`] rounds without one.
    fn judge_more(&mut self, from: Tried, mut seen: Seen, rate: Rate, is_awaited: bool) -> State {
        let share = self.connections as f64 / from.connections as f64 - 1.0;
        seen.looks += 1;
        seen.gains += u32::from(rate.exceeds(from.rate, 1.0 + share * (GAIN - 1.0)));
        if seen.gains < GAINS {
            if seen.looks < LOOKS {
                return State::Trying { from, seen };
            }
            self.connections = from.connections;
            self.next = Step::SingleStream;
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

    /// Keeps fewer connections unless that is too slow.
    fn judge_fewer(&mut self, from: Tried, rate: Rate) -> State {
        let share = from.connections as f64 / self.connections as f64 - 1.0;
        if from.rate.exceeds(rate, 1.0 + share * (LOSS - 1.0)) {
            self.connections = from.connections;
        }
        self.next = Step::Up;
        self.rest()
    }

    /// Whether one request is worth trying instead of several.
    fn favours_single_stream(&self, rate: Rate) -> bool {
        let is_slow_to_answer = self.stream.lead() > LEAST_LEAD;
        is_slow_to_answer && self.stream.rate() > rate.brought && !self.tried_single_stream
    }

    fn try_single_stream(&mut self, several: f64) -> State {
        self.tried_single_stream = true;
        let rate = Rate {
            asked: several,
            brought: several,
        };
        self.change(self.connections, Step::SingleStream, rate)
    }

    /// Keeps one request if enough rounds have shown that it brings more than several, or as much
    /// as the reader takes.
    fn judge_single_stream(
        &mut self,
        from: Tried,
        mut seen: Seen,
        rate: Rate,
        is_awaited: bool,
    ) -> State {
        let several = from.rate.brought;
        seen.looks += 1;
        seen.gains += u32::from(!is_awaited || rate.brought > several);
        match seen {
            Seen { gains: GAINS.., .. } => State::SingleStream { several },
            Seen { looks: LOOKS.., .. } => self.leave_single_stream(REST),
            _ => State::Trying { from, seen },
        }
    }

    /// Returns to several connections, which stay for this many `rounds`.
    fn leave_single_stream(&mut self, rounds: u32) -> State {
        self.rest = REST;
        self.next = Step::Up;
        State::Resting { rounds }
    }

    /// Rests, and longer the next time.
    fn rest(&mut self) -> State {
        let rounds = self.rest;
        self.rest = (2 * rounds).min(LONGEST_REST);
        State::Resting { rounds }
    }

    /// Halves the connections after a failure, but once per round: requests that fail together were
    /// all sent before that. TCP likewise counts packets that are lost together once.
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
                self.next = Step::SingleStream;
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
