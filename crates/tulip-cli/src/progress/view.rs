//! The progress to show: a run, and the exports that are under way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tulip_archive::Event;

use crate::output::{display_width, plain};

/// How quickly a rate adapts: about two thirds of it come from this last period.
const RATE_MEMORY: Duration = Duration::from_secs(5);

/// The shortest time over which a rate is measured.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(100);

/// A run.
#[derive(Debug)]
pub(super) struct View {
    pub(super) started: Instant,
    /// The number of archives of the run, if it is known yet.
    pub(super) archives: Option<usize>,
    pub(super) ended: usize,
    pub(super) failed: usize,
    /// Bytes that this run has downloaded or read.
    pub(super) received: u64,
    pub(super) rate: Rate,
    /// The exports that are under way, oldest first.
    pub(super) rows: BTreeMap<u64, Row>,
    /// The width of the widest name so far, so that columns stay where they are.
    pub(super) widest_name: usize,
    next: u64,
}

/// An export.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) started: Instant,
    pub(super) step: Step,
    pub(super) rate: Rate,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A step without a measure, in words.
    Waiting(String),
    /// Bytes are being downloaded, or read.
    Downloading {
        bytes: u64,
        length: Option<u64>,
    },
    Committing,
}

impl View {
    pub(super) fn new(archives: Option<usize>, now: Instant) -> Self {
        Self {
            started: now,
            archives,
            ended: 0,
            failed: 0,
            received: 0,
            rate: Rate::default(),
            rows: BTreeMap::new(),
            widest_name: 0,
            next: 0,
        }
    }

    /// Adds an export, and returns its id.
    pub(super) fn add(&mut self, name: &str, now: Instant) -> u64 {
        let id = self.next;
        self.next += 1;
        let name = plain(name);
        self.widest_name = self.widest_name.max(display_width(&name));
        let row = Row {
            name,
            started: now,
            step: Step::Waiting("starting".to_owned()),
            rate: Rate::default(),
        };
        self.rows.insert(id, row);
        id
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.rows.remove(&id);
    }

    pub(super) fn count(&mut self, has_failed: bool) {
        self.ended += 1;
        self.failed += usize::from(has_failed);
    }

    pub(super) fn show(&mut self, id: u64, event: &Event<'_>) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        row.step = match event {
            Event::Started { job } => Step::Waiting(format!("started job {}", plain(job.as_str()))),
            Event::ResumingJob { job, .. } => {
                Step::Waiting(format!("resuming job {}", plain(job.as_str())))
            }
            Event::Waiting { status, .. } => {
                Step::Waiting(format!("waiting: {}", plain(status.as_str())))
            }
            Event::WaitFailing { .. } => Step::Waiting("Tulip is not responding, retrying".into()),
            Event::Complete { .. } | Event::Deferred { .. } => {
                Step::Waiting("complete, waiting to be downloaded".into())
            }
            Event::Downloading { length, .. } => Step::Downloading {
                bytes: 0,
                length: *length,
            },
            Event::Resuming { bytes, length, .. } => Step::Downloading {
                bytes: *bytes,
                length: *length,
            },
            Event::Progress { bytes, .. } => {
                let (known, length) = row.step.received();
                self.received += bytes.saturating_sub(known);
                Step::Downloading {
                    bytes: *bytes,
                    length,
                }
            }
            Event::Committing => Step::Committing,
            _ => return,
        };
    }

    /// Shows how far an archive has been read.
    pub(super) fn show_read(&mut self, id: u64, bytes: u64, length: u64) {
        if let Some(row) = self.rows.get_mut(&id) {
            let (known, _) = row.step.received();
            self.received += bytes.saturating_sub(known);
            let length = Some(length);
            row.step = Step::Downloading { bytes, length };
        }
    }

    /// Sets the number of archives to those that have ended or are under way.
    pub(super) fn complete(&mut self) {
        self.archives = Some(self.ended + self.rows.len());
    }

    /// Updates the rates.
    pub(super) fn sample(&mut self, now: Instant) {
        self.rate.sample(now, self.received);
        for row in self.rows.values_mut() {
            if let Step::Downloading { bytes, .. } = row.step {
                row.rate.sample(now, bytes);
            }
        }
    }

    /// The bytes that are still to come; `None` unless they are known for all remaining archives.
    pub(super) fn left(&self) -> Option<u64> {
        let is_all = self.ended + self.rows.len() >= self.archives?;
        let left = self.rows.values().map(|row| row.step.left());
        is_all.then(|| left.sum::<Option<u64>>()).flatten()
    }
}

impl Step {
    /// The bytes so far, and the length if it is known.
    fn received(&self) -> (u64, Option<u64>) {
        match self {
            Self::Downloading { bytes, length } => (*bytes, *length),
            Self::Waiting(_) | Self::Committing => (0, None),
        }
    }

    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Downloading { bytes, length } => Some((*length)?.saturating_sub(*bytes)),
            Self::Waiting(_) => None,
            Self::Committing => Some(0),
        }
    }
}

/// Bytes per second, smoothed.
#[derive(Debug, Default)]
pub(super) struct Rate {
    last: Option<(Instant, u64)>,
    per_second: Option<f64>,
}

impl Rate {
    fn sample(&mut self, now: Instant, bytes: u64) {
        let (then, before) = *self.last.get_or_insert((now, bytes));
        let passed = now.saturating_duration_since(then);
        if passed < SHORTEST_SAMPLE {
            return;
        }
        self.last = Some((now, bytes));
        // A download that starts over has fewer bytes than before: nothing was measured.
        let Some(new) = bytes.checked_sub(before) else {
            return;
        };
        let measured = new as f64 / passed.as_secs_f64();
        self.per_second = match self.per_second {
            None => Some(measured),
            Some(old) => {
                let share = 1.0 - (-passed.as_secs_f64() / RATE_MEMORY.as_secs_f64()).exp();
                Some(old + (measured - old) * share)
            }
        };
    }

    /// The rate, if there is one that is worth showing.
    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        let rate = self.per_second.map(|rate| rate as u64);
        rate.filter(|rate| *rate > 0)
    }

    /// The time that this many bytes take at this rate.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        let rate = self.bytes_per_second()?;
        Some(Duration::from_secs(bytes.div_ceil(rate)))
    }
}
