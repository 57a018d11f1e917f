//! The throughput of one request for the rest of an archive.

use std::time::Duration;

use super::throughput::{self, Sample};

/// Answer times count after this many answers: the first ones may be on new connections, and late
/// for that reason.
const ANSWERS: u32 = 2;

/// The weight of the latest round in the average rate of a connection.
const LATEST: f64 = 0.25;

/// Estimates what one request for the rest would bring, from a host that is slow to answer.
///
/// Of several ranges, all but the first are held until their turn, so they are short, and each
/// connection gets at most one of them in the time of an answer. The first in order is handed over
/// as it arrives, so it can be of any length.
#[derive(Debug)]
pub(super) struct SingleStream {
    /// How many bytes several connections can request at once.
    reach: u64,
    /// The rate of a connection once it is answered, in bytes per second.
    rate: f64,
    /// The shortest time to an answer.
    answer: Option<Duration>,
}

impl SingleStream {
    /// Creates an estimate for connections that can request `reach` bytes at once.
    pub(super) fn new(reach: u64) -> Self {
        Self {
            reach,
            rate: 0.0,
            answer: None,
        }
    }

    /// Records a round on few connections: many would share the line, and none would show what it
    /// could deliver alone.
    pub(super) fn observe(&mut self, before: Sample, now: Sample) {
        let waited = (now.time - before.time).saturating_sub(now.answering - before.answering);
        let rate = throughput::rate(now.bytes - before.bytes, waited);
        self.rate = match self.answer {
            Some(_) => self.rate + (rate - self.rate) * LATEST,
            None => rate,
        };
        self.answer = (now.answers >= ANSWERS).then_some(now.shortest_answer);
    }

    /// Returns the rate of a connection, in bytes per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Returns what a connection delivers in the time of an answer, in bytes.
    pub(super) fn lead(&self) -> f64 {
        self.answer
            .map_or(0.0, |time| self.rate * time.as_secs_f64())
    }

    /// Returns the throughput that several connections cannot exceed, however many and fast they
    /// are, in bytes per second, if one connection alone exceeds it.
    pub(super) fn unrivalled(&self) -> Option<f64> {
        let bound = self.reach as f64 / self.answer?.as_secs_f64();
        (self.rate > bound).then_some(bound)
    }
}
