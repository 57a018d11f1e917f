//! The phases of an export, and the time that it spends in them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tulip_archive::Event;
use tulip_archive::core::Timestamp;

/// A phase of an export. An export that is retried goes through some phases more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It is waiting until the run may start a job for it, counted from the start of the run.
    WaitingToStart,
    /// Its job was started and is not complete.
    Pending,
    /// Its job is complete, and it is waiting for its turn to download.
    WaitingToDownload,
    /// The archive is requested from its host, and its bytes are written.
    Downloading,
    /// All bytes are written; the object and its receipt are being committed.
    Storing,
    /// It has failed, and is waiting to be tried again.
    WaitingToRetry,
}

/// Every phase with its stable name.
const NAMES: [(Phase, &str); 6] = [
    (Phase::WaitingToStart, "waiting_to_start"),
    (Phase::Pending, "pending"),
    (Phase::WaitingToDownload, "waiting_to_download"),
    (Phase::Downloading, "downloading"),
    (Phase::Storing, "storing"),
    (Phase::WaitingToRetry, "waiting_to_retry"),
];

impl Phase {
    /// Returns every phase, in the order in which they occur.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(phase, _)| *phase)
    }

    /// Returns the stable name in lower case, for example `pending`, for programs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = NAMES.iter().find(|(phase, _)| *phase == self);
        found.map_or("other", |(_, name)| *name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One period that an export spent in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhaseSpan {
    /// The phase.
    pub phase: Phase,
    /// When it started, by the system's clock.
    pub started: Timestamp,
    /// How long it took, by a monotonic clock.
    pub took: Duration,
}

/// The measurements of one export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// The phases, in the order in which they occurred. Empty if the export did not belong to a run
    /// that had started.
    pub phases: Vec<PhaseSpan>,
    /// Bytes written to the target, including those that an earlier run left there. 0 if nothing
    /// had to be written.
    pub bytes: u64,
    /// Whole records in these bytes, excluding the header.
    pub records: u64,
    /// Requests to Tulip and to the archive's host that failed and were retried.
    pub retries: u32,
}

impl Measured {
    /// Returns the time spent in a phase, over all attempts.
    #[must_use]
    pub fn time_in(&self, phase: Phase) -> Duration {
        let spans = self.phases.iter().filter(|span| span.phase == phase);
        spans.map(|span| span.took).sum()
    }
}

/// Measures one export while it runs. Clones share their measurements.
#[derive(Debug, Clone)]
pub(crate) struct Stopwatch(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    measured: Measured,
    phase: Phase,
    started: Timestamp,
    since: Instant,
    /// Requests to the archive's host that failed in this attempt.
    download_retries: u32,
}

impl Stopwatch {
    /// Starts measuring an export that is waiting to start.
    pub(crate) fn start(started: Timestamp, since: Instant) -> Self {
        Self(Arc::new(Mutex::new(State {
            measured: Measured::default(),
            phase: Phase::WaitingToStart,
            started,
            since,
            download_retries: 0,
        })))
    }

    /// Updates the measurements for an event of the export.
    pub(crate) fn event(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { .. } | Event::ResumingJob { .. } => state.enter(Phase::Pending),
            // The job was known before, so no earlier event has entered this phase.
            Event::Waiting { waited, .. } | Event::Complete { waited }
                if matches!(state.phase, Phase::WaitingToStart | Phase::WaitingToRetry) =>
            {
                state.enter_since(Phase::Pending, *waited);
                if matches!(event, Event::Complete { .. }) {
                    state.enter(Phase::WaitingToDownload);
                }
            }
            Event::Complete { .. } | Event::Deferred { .. } => {
                state.enter(Phase::WaitingToDownload);
            }
            Event::Opening => state.enter(Phase::Downloading),
            Event::Downloading { .. } => (state.measured.bytes, state.measured.records) = (0, 0),
            Event::Progress {
                bytes,
                records,
                retries,
                ..
            } => {
                (state.measured.bytes, state.measured.records) = (*bytes, *records);
                state.download_retries = *retries;
            }
            Event::Committing => state.enter(Phase::Storing),
            Event::Exported { receipt } => {
                (state.measured.bytes, state.measured.records) = (receipt.bytes, receipt.records);
            }
            Event::StartRefused | Event::WaitFailing { .. } => state.measured.retries += 1,
            _ => {}
        }
    }

    /// Records that the export will be tried again.
    pub(crate) fn retry(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.measured.retries += std::mem::take(&mut state.download_retries);
        state.enter(Phase::WaitingToRetry);
    }

    /// Returns the measurements so far.
    pub(crate) fn read(&self) -> Measured {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut measured = state.measured.clone();
        measured.phases.push(state.span(Instant::now()));
        measured.retries += state.download_retries;
        measured
    }
}

impl State {
    fn span(&self, until: Instant) -> PhaseSpan {
        PhaseSpan {
            phase: self.phase,
            started: self.started,
            took: until.saturating_duration_since(self.since),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.enter_since(phase, Duration::ZERO);
    }

    /// Enters a phase that started this long ago.
    fn enter_since(&mut self, phase: Phase, ago: Duration) {
        if self.phase == phase {
            return;
        }
        let now = Instant::now();
        let since = now.checked_sub(ago).unwrap_or(now).max(self.since);
        let span = self.span(since);
        self.started = Timestamp::from(self.started.as_system_time() + span.took);
        self.measured.phases.push(span);
        (self.phase, self.since) = (phase, since);
    }
}

#[cfg(test)]
mod tests {
    use tulip_archive::core::JobStatus;
    use tulip_archive::{JobId, ObjectKey};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stopwatch() -> Stopwatch {
        Stopwatch::start(Timestamp::now(), Instant::now())
    }

    async fn after(seconds: u32, stopwatch: &Stopwatch, event: Event<'_>) {
        tokio::time::advance(SECOND * seconds).await;
        stopwatch.event(&event);
    }

    fn shown(measured: &Measured) -> Vec<(Phase, u64)> {
        let spans = measured.phases.iter();
        spans
            .map(|span| (span.phase, span.took.as_secs()))
            .collect()
    }

    #[test]
    fn every_phase_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Phase::all().map(Phase::as_str).collect();
        assert_eq!(names.len(), NAMES.len());
        assert!(!names.contains("other"));
    }

    #[tokio::test(start_paused = true)]
    async fn phases_follow_each_other_without_a_gap() {
        let stopwatch = stopwatch();
        let (job, key): (JobId, _) = ("j".parse().unwrap(), ObjectKey::new("j.csv").unwrap());
        let progress = |bytes, records| Event::Progress {
            bytes,
            length: None,
            records,
            retries: 2,
        };
        let downloading = || Event::Downloading {
            key: &key,
            length: None,
        };
        after(1, &stopwatch, Event::StartRefused).await;
        after(1, &stopwatch, Event::Started { job: &job }).await;
        let waited = 3 * SECOND;
        after(3, &stopwatch, Event::Complete { waited }).await;
        after(4, &stopwatch, Event::Opening).await;
        after(2, &stopwatch, downloading()).await;
        after(0, &stopwatch, progress(10, 1)).await;
        after(3, &stopwatch, downloading()).await;
        after(0, &stopwatch, progress(7, 0)).await;
        after(1, &stopwatch, Event::Committing).await;
        tokio::time::advance(SECOND).await;
        let measured = stopwatch.read();
        assert_eq!(
            shown(&measured),
            [
                (Phase::WaitingToStart, 2),
                (Phase::Pending, 3),
                (Phase::WaitingToDownload, 4),
                (Phase::Downloading, 6),
                (Phase::Storing, 1),
            ]
        );
        for pair in measured.phases.windows(2) {
            let gap = pair[1].started.as_system_time();
            let gap = gap.duration_since(pair[0].started.as_system_time());
            // Timestamps are truncated to the millisecond.
            assert_eq!(gap.unwrap().as_secs(), pair[0].took.as_secs());
        }
        assert_eq!((measured.bytes, measured.records), (7, 0));
        assert_eq!(measured.retries, 3);
        assert_eq!(measured.time_in(Phase::Downloading), 6 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_job_is_pending_from_its_first_status_call() {
        let status = JobStatus::from("pending".to_owned());
        for is_complete_at_once in [false, true] {
            let stopwatch = stopwatch();
            tokio::time::advance(5 * SECOND).await;
            let waited = 2 * SECOND;
            if !is_complete_at_once {
                let waiting = Event::Waiting {
                    status: &status,
                    unknown: false,
                    waited,
                };
                after(2, &stopwatch, waiting).await;
            }
            after(2, &stopwatch, Event::Complete { waited }).await;
            let spans = shown(&stopwatch.read());
            let pending = if is_complete_at_once { 2 } else { 4 };
            assert_eq!(
                spans[..2],
                [(Phase::WaitingToStart, 5), (Phase::Pending, pending)]
            );
            assert_eq!(spans[2], (Phase::WaitingToDownload, 0));
        }
    }
}
