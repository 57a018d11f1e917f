//! The throughput of a download's connections.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Counts the bytes of all connections, and how long they took.
#[derive(Debug)]
pub(super) struct ThroughputMeter {
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
    answers: AtomicU32,
    answering: AtomicU64,
    shortest_answer: AtomicU64,
}

/// The counts at a point in time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) bytes: u64,
    /// The time spent waiting for each connection, added up.
    pub(super) time: Duration,
    /// The number of answered requests.
    pub(super) answers: u32,
    /// The part of `time` spent waiting for answers.
    pub(super) answering: Duration,
    /// The shortest of those waits.
    pub(super) shortest_answer: Duration,
}

impl ThroughputMeter {
    pub(super) fn new() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
            answers: AtomicU32::new(0),
            answering: AtomicU64::new(0),
            shortest_answer: AtomicU64::new(u64::MAX),
        }
    }

    /// Counts `bytes` for which one connection was `waited` for.
    pub(super) fn add(&self, bytes: usize, waited: Duration) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.nanoseconds
            .fetch_add(nanoseconds(waited), Ordering::Relaxed);
    }

    /// Counts an answer for which one connection was `waited` for.
    pub(super) fn add_answer(&self, waited: Duration) {
        let waited = nanoseconds(waited);
        self.nanoseconds.fetch_add(waited, Ordering::Relaxed);
        self.answering.fetch_add(waited, Ordering::Relaxed);
        self.shortest_answer.fetch_min(waited, Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts so far.
    pub(super) fn sample(&self) -> Sample {
        Sample {
            bytes: self.bytes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            answers: self.answers.load(Ordering::Relaxed),
            answering: Duration::from_nanos(self.answering.load(Ordering::Relaxed)),
            shortest_answer: Duration::from_nanos(self.shortest_answer.load(Ordering::Relaxed)),
        }
    }
}

/// Returns bytes per second; finite even if the clock cannot tell two moments apart.
pub(super) fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.max(Duration::from_nanos(1)).as_secs_f64()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
