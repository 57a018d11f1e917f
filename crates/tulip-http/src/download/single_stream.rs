//! What one request for all that is left would bring.

use std::time::Duration;

use super::throughput::{self, Sample};

/// This many answers must have come before they are believed: the first ones may be on new
/// connections, and then are late for another reason.
const ANSWERS: u32 = 2;

/// The weight of the last round in what is known of a connection.
const LATEST: f64 = 0.25;

/// What one request would bring if it had to bring all, from a host that is slow to answer.
///
/// Of several ranges all but the first wait for their turn, so they are short, and no more than one
/// for each connection comes in the time that the host takes to answer. What is first in the row is
/// handed on as it comes: of that any amount can be asked for.
#[derive(Debug)]
pub(super) struct SingleStream {
    /// The bytes that several connections can have asked for at once.
    reach: u64,
    /// What a connection brings behind an answer, in bytes a second.
    rate: f64,
    /// The shortest time in which there was an answer.
    answer: Option<Duration>,
}

impl SingleStream {
    /// On a client whose connections can have asked for `reach` bytes at once.
    pub(super) fn new(reach: u64) -> Self {
        Self {
            reach,
            rate: 0.0,
            answer: None,
        }
    }

    /// Counts what has come in a round on few connections: where there are many, they share the
    /// line, and none shows what it could bring.
    pub(super) fn observe(&mut self, before: Sample, now: Sample) {
        let waited = (now.time - before.time).saturating_sub(now.answering - before.answering);
        let rate = throughput::rate(now.bytes - before.bytes, waited);
        self.rate = match self.answer {
            Some(_) => self.rate + (rate - self.rate) * LATEST,
            None => rate,
        };
        self.answer = (now.answers >= ANSWERS).then_some(now.shortest_answer);
    }

    /// What a connection brings, in bytes a second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// What it brings in the time of an answer, in bytes.
    pub(super) fn lead(&self) -> f64 {
        self.answer
            .map_or(0.0, |time| self.rate * time.as_secs_f64())
    }

    /// What several connections cannot exceed, however many there are and however fast, in bytes a
    /// second, if one alone exceeds it.
    pub(super) fn unrivalled(&self) -> Option<f64> {
        let bound = self.reach as f64 / self.answer?.as_secs_f64();
        (self.rate > bound).then_some(bound)
    }
}
