//! The emulator with its machines and their faults, and what it sees of a run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tulip_emulator::{Emulator, Endpoint, JobScript, Reply};

use crate::night::{Measured, RunOf};

/// The budget of the runs.
pub(crate) const MAX_PENDING: usize = 200;
pub(crate) const START_RATE: usize = 1500;

/// The attempts of each export: it fails if its job fails this often.
pub(crate) const ATTEMPTS: usize = 3;

/// How long a burst of 429 lasts.
const BURST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) small: usize,
    pub(crate) big: usize,
    pub(crate) small_rows: u64,
    pub(crate) big_rows: u64,
    pub(crate) longest_pending: Duration,
    /// 2 % of the small machines have a failing job, half of them at each attempt; 1 % more are
    /// refused; bursts of 429 come every ten seconds.
    pub(crate) with_faults: bool,
}

pub(crate) struct Plant {
    pub(crate) emulator: Emulator,
    shape: Shape,
}

/// What the emulator has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) starts: usize,
    pub(crate) most_pending: usize,
    /// The most starts in any minute.
    pub(crate) most_starts: usize,
}

impl Plant {
    pub(crate) async fn start(shape: Shape) -> Self {
        let machines = shape.small + shape.big;
        let emulator = Emulator::builder()
            .machines(machines)
            .rows(shape.small_rows);
        let plant = Self {
            emulator: emulator.start().await.unwrap(),
            shape,
        };
        for (nth, machine) in plant.emulator.machine_ids().iter().enumerate() {
            // Spread without any pattern in the order of the listing.
            let share = (nth as u64).wrapping_mul(2_654_435_761) % 1000;
            let longest = shape.longest_pending.as_millis() as u64;
            let pending = Duration::from_millis(longest * share / 1000);
            let is_big = nth < shape.big;
            let rows = if is_big {
                shape.big_rows
            } else {
                shape.small_rows
            };
            let script = JobScript::new().rows(rows).pending_for(pending);
            let failures = match nth % 100 {
                _ if is_big || !shape.with_faults => 0,
                7 => ATTEMPTS,
                57 => 1,
                _ => 0,
            };
            for _ in 0..failures {
                let failing = script.clone().fails("out of disk");
                plant.emulator.script_next_of(machine, failing);
            }
            plant.emulator.script_next_of(machine, script);
        }
        plant
    }

    /// The number of machines, including the refused ones.
    pub(crate) fn machines(&self) -> usize {
        self.shape.small + self.shape.big + self.refused()
    }

    /// The number of machines that the listing has but the instance does not.
    pub(crate) fn refused(&self) -> usize {
        if self.shape.with_faults {
            self.shape.small / 100
        } else {
            0
        }
    }

    /// Every machine whose export must fail, with its outcome.
    pub(crate) fn expected_failures(&self) -> BTreeMap<String, String> {
        let ids = self.emulator.machine_ids();
        let failing = ids
            .iter()
            .enumerate()
            .filter(|(nth, _)| self.shape.with_faults && *nth >= self.shape.big && nth % 100 == 7);
        let failing = failing.map(|(_, id)| (id.to_string(), "failed_at_tulip".to_owned()));
        let refused = (0..self.refused()).map(|nth| (refused(nth), "not_started".to_owned()));
        failing.chain(refused).collect()
    }

    /// Runs it, and watches its requests.
    pub(crate) async fn watch(&self, run: RunOf) -> (Measured, Seen) {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let child = tokio::task::spawn_blocking(move || {
            let measured = run.spawn();
            over.store(true, Ordering::SeqCst);
            measured
        });
        let mut seen = Seen::default();
        let mut last_burst = Instant::now();
        while !is_over.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let jobs = self.emulator.jobs();
            let is_pending = |status: Option<&str>| !matches!(status, Some("complete" | "failed"));
            let pending = jobs
                .iter()
                .filter(|job| is_pending(job.last_status.as_deref()));
            seen.most_pending = seen.most_pending.max(pending.count());
            // A burst lasts as long as its replies say. Refusals that no request has met by then
            // must not queue up, or a run that tries one call a second would meet nothing else.
            if last_burst.elapsed() > BURST {
                self.emulator.clear_faults();
            }
            if self.shape.with_faults && last_burst.elapsed() > Duration::from_secs(10) {
                last_burst = Instant::now();
                let busy = Reply::busy(429).retry_after(BURST);
                self.emulator.fail_next(Endpoint::Start, 5, busy.clone());
                self.emulator.fail_next(Endpoint::Status, 5, busy);
            }
        }
        let requests = self.emulator.requests();
        seen.starts = requests.count(Endpoint::Start);
        seen.requests =
            seen.starts + requests.count(Endpoint::Status) + requests.count(Endpoint::Machines);
        let mut minute = VecDeque::new();
        for at in requests.start_times {
            minute.push_back(at);
            while at - minute[0] >= Duration::from_secs(60) {
                minute.pop_front();
            }
            seen.most_starts = seen.most_starts.max(minute.len());
        }
        (child.await.unwrap(), seen)
    }
}

pub(crate) fn refused(nth: usize) -> String {
    format!("refused{nth}")
}
