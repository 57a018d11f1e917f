//! Rate-limit gates: while a host asks for a pause, no request is sent to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Requests that waited at a closed gate are spread over this fraction of the time for which it was
/// closed, so that they do not all arrive at once.
const SPREAD: f64 = 0.25;

/// The longest time for which a gate is closed, so that no host can stop a client indefinitely. The
/// next request learns whether the host is still busy.
const LONGEST: Duration = Duration::from_secs(600);

/// Holds back the requests to one host after a 429 or 503. They pass in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct RateLimitGate {
    closed: Mutex<Option<Closed>>,
    /// Held by the first in the queue.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicU32,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    until: Instant,
    /// When all waiting requests will have passed.
    spread_until: Instant,
}

impl RateLimitGate {
    /// Closes the gate for `length` from now on, at most [`LONGEST`], and returns how long that is.
    /// A gate that is already closed for longer stays so.
    pub(crate) fn close(&self, length: Duration) -> Duration {
        let length = length.min(LONGEST);
        let until = Instant::now() + length;
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none_or(|closed| closed.until < until) {
            let spread_until = until + length.mul_f64(SPREAD);
            *closed = Some(Closed {
                until,
                spread_until,
            });
        }
        length
    }

    /// Waits until a request may be sent.
    pub(crate) async fn pass(&self) {
        if self.is_free() {
            return;
        }
        let waiting = Waiting::new(&self.waiting);
        let _turn = self.turn.lock().await;
        while let Some(closed) = self.closed_or_spread() {
            tokio::time::sleep_until(closed.until).await;
            let left = closed
                .spread_until
                .saturating_duration_since(Instant::now());
            let share = left / waiting.count().max(1);
            tokio::time::sleep(share.mul_f64(fastrand::f64())).await;
            // Waits again if the gate was closed again meanwhile.
            if self.closed().is_none() {
                return;
            }
        }
    }

    /// Whether no request has to wait.
    fn is_free(&self) -> bool {
        self.closed().is_none() && self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Returns until when no request may pass, or `None` if the gate is open.
    fn closed(&self) -> Option<Closed> {
        let closed = self.closed_or_spread();
        closed.filter(|closed| closed.until > Instant::now())
    }

    /// Like [`Self::closed`], but also while the requests that waited are being spread.
    fn closed_or_spread(&self) -> Option<Closed> {
        let closed = *self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.filter(|closed| closed.spread_until > Instant::now())
    }
}

/// A place in the queue, which is left on drop.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// Returns how many requests wait.
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gates of many hosts: a busy host holds back no other.
#[derive(Debug, Default)]
pub(crate) struct RateLimitGates(Mutex<HashMap<String, Arc<RateLimitGate>>>);

/// With more hosts than this, gates that hold back no request are forgotten.
const MANY: usize = 64;

impl RateLimitGates {
    /// The gate of `host`.
    pub(crate) fn of(&self, host: &str) -> Arc<RateLimitGate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(host) {
            return gate.clone();
        }
        if gates.len() >= MANY {
            gates.retain(|_, gate| !gate.is_free());
        }
        gates.entry(host.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use tokio::task::JoinSet;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn everybody_waits_and_a_gate_that_is_closed_for_longer_stays_closed() {
        let gate = RateLimitGate::default();
        let started = Instant::now();
        gate.pass().await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        gate.close(8 * SECOND);
        gate.close(2 * SECOND);
        tokio::join!(gate.pass(), gate.pass());
        let waited = started.elapsed();
        assert!(waited >= 8 * SECOND && waited <= 10 * SECOND, "{waited:?}");
        gate.pass().await;
        assert_eq!(started.elapsed(), waited);
        assert_eq!(gate.close(Duration::MAX), LONGEST);
        gate.pass().await;
        assert!(started.elapsed() - waited <= LONGEST + LONGEST / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_passes_in_the_order_of_arrival_and_spread() {
        let gate = Arc::new(RateLimitGate::default());
        gate.close(40 * SECOND);
        let started = Instant::now();
        let passed = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let (gate, passed) = (gate.clone(), passed.clone());
            tasks.spawn(async move {
                gate.pass().await;
                passed.lock().unwrap().push((number, started.elapsed()));
            });
        }
        tasks.join_all().await;
        let passed = passed.lock().unwrap();
        assert!(passed.iter().map(|(number, _)| *number).eq(0..100));
        assert!(passed[0].1 >= 40 * SECOND && passed[99].1 <= 50 * SECOND);
        let mut times: Vec<_> = passed.iter().map(|(_, time)| time.as_millis()).collect();
        times.dedup();
        assert!(times.len() > 50, "{times:?}");
    }

    /// A request that has to wait again does not overtake those that have waited.
    #[tokio::test(start_paused = true)]
    async fn a_newcomer_waits_behind_the_queue() {
        let gate = Arc::new(RateLimitGate::default());
        gate.close(10 * SECOND);
        let order = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for number in 0..2 {
            let (gate, order) = (gate.clone(), order.clone());
            tasks.spawn(async move {
                gate.pass().await;
                order.lock().unwrap().push(number);
                gate.close(10 * SECOND);
                gate.pass().await;
                order.lock().unwrap().push(number + 10);
            });
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 10, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_host_holds_back_no_other() {
        let gates = RateLimitGates::default();
        gates.of("busy").close(60 * SECOND);
        let started = Instant::now();
        for host in 0..2 * MANY {
            gates.of(&host.to_string()).pass().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        gates.of("busy").pass().await;
        assert!(started.elapsed() >= 60 * SECOND);
        assert!(gates.0.lock().unwrap().len() <= MANY + 1);
    }
}
