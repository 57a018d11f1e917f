//! What the connections of a download have brought.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts what comes on all connections, and how long they took for it.
#[derive(Debug, Default)]
pub(super) struct Flow {
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What has come until a point of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Brought {
    pub(super) bytes: u64,
    /// Of each connection the time for which it was waited for, added up.
    pub(super) time: Duration,
}

impl Flow {
    /// Takes notice of `bytes` for which one connection was waited for.
    pub(super) fn add(&self, bytes: usize, waited: Duration) {
        let nanoseconds = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// All of it until now.
    pub(super) fn brought(&self) -> Brought {
        Brought {
            bytes: self.bytes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}
