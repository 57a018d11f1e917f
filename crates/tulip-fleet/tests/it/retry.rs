//! Which exports are tried again, when, and how the run reports them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tulip_core::ObjectKey;
use tulip_core::sink::{
    OpenOptions, Probe, Sink, SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode,
    async_trait,
};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};
use tulip_fleet::archive::ExportErrorKind;
use tulip_fleet::{
    FailedAttempt, ItemOutcome, ItemRetryPolicy, NeverRetryItem, NeverStop, Phase, Plan,
    RetryByOutcome, Run,
};

use crate::support::{Bench, all, count};

const SOON: Duration = Duration::from_millis(1);

async fn run(bench: &Bench) -> Run {
    let exporter = bench.exporter().build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    Run::new(plan).retry_policy(RetryByOutcome::default().cooldown(SOON))
}

fn failing() -> JobScript {
    JobScript::new().fails("out of disk")
}

#[tokio::test]
async fn a_job_that_failed_is_started_again_and_reported_once() {
    let bench = Bench::of(3).await;
    let machine = bench.emulator.machine_ids()[1].clone();
    bench.emulator.script_next_of(&machine, failing());
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let run = run(&bench).await.on_retry(move |retry| {
        let failed = retry.failed;
        log.lock()
            .unwrap()
            .push((failed.outcome, failed.attempts, retry.after));
    });
    let reports = all(run).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 3);
    assert_eq!(bench.emulator.requests().starts(&machine), 2);
    assert_eq!(
        *told.lock().unwrap(),
        [(ItemOutcome::FailedAtTulip, 1, SOON)]
    );
    for report in &reports {
        let is_it = report.source.known_machine() == Some(&machine);
        assert_eq!(report.attempts, if is_it { 2 } else { 1 });
        let waited = |span: &&tulip_fleet::PhaseSpan| span.phase == Phase::WaitingToRetry;
        let waits = report.measured.phases.iter().filter(waited).count();
        assert_eq!(waits, usize::from(is_it));
    }
}

#[tokio::test]
async fn attempts_are_counted_and_bounded() {
    let bench = Bench::of(1).await;
    bench.emulator.set_default_script(failing());
    let reports = all(run(&bench).await).await;
    assert_eq!(count(&reports, ItemOutcome::FailedAtTulip), 1);
    assert_eq!(reports[0].attempts, 3);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 3);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_not_sent_again() {
    let bench = Bench::of(1).await;
    bench
        .emulator
        .fail_next(Endpoint::Start, 1, Fault::LostReply);
    let reports = all(run(&bench).await).await;
    assert_eq!(count(&reports, ItemOutcome::StartUnknown), 1);
    assert_eq!(reports[0].attempts, 1);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
}

#[tokio::test]
async fn what_tulip_has_refused_is_not_asked_for_again() {
    let bench = Bench::of(1).await;
    let refusal = Reply::error(403, "Forbidden", "not this machine");
    bench.emulator.fail_next(Endpoint::Start, 1, refusal);
    let reports = all(run(&bench).await).await;
    assert_eq!(count(&reports, ItemOutcome::NotStarted), 1);
    assert_eq!(reports[0].attempts, 1);
}

#[tokio::test]
async fn what_was_never_started_is_tried_again_at_once_and_before_the_others() {
    let bench = Bench::of(3).await;
    // A rate limit that outlasts the client's own retries: this client has none.
    bench
        .emulator
        .fail_next(Endpoint::Start, 1, Reply::busy(429));
    let policy = RetryByOutcome::default().cooldown(Duration::from_secs(3600));
    let run = run(&bench).await.retry_policy(policy).max_pending(1);
    let reports = all(run.concurrency(1)).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 3);
    let attempts: u32 = reports.iter().map(|report| report.attempts).sum();
    assert_eq!(attempts, 4);
    let requests = bench.emulator.requests().api;
    let machines: Vec<_> = requests
        .iter()
        .filter_map(|call| call.machine.as_ref())
        .collect();
    assert_eq!((machines.len(), machines[0]), (4, machines[1]));
}

#[tokio::test]
async fn a_broken_download_is_tried_again_with_the_same_job() {
    let bench = Bench::of(1).await;
    let elsewhere = Reply::redirect(302, "file:///elsewhere");
    let machine = bench.emulator.machine_ids()[0].clone();
    let script = JobScript::new().asset_faults([elsewhere]);
    bench.emulator.script_next_of(&machine, script);
    let policy = AlwaysOnce;
    let reports = all(run(&bench).await.retry_policy(policy)).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 1, "{reports:?}");
    assert_eq!(reports[0].attempts, 2);
    assert_eq!(bench.emulator.requests().starts(&machine), 1);
}

/// Retries every failure once.
#[derive(Debug)]
struct AlwaysOnce;

impl ItemRetryPolicy for AlwaysOnce {
    fn retry(&mut self, failed: &FailedAttempt<'_>) -> Option<Duration> {
        (failed.attempts < 2).then_some(SOON)
    }

    fn probe_pause(&mut self, _: u32) -> Option<Duration> {
        None
    }
}

#[tokio::test]
async fn retries_are_starts_of_the_budget_too() {
    let bench = Bench::of(1).await;
    bench.emulator.set_default_script(failing());
    let run = run(&bench).await.start_rate(NonZeroUsize::new(2));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(all(run.until(async { drop(stopped.await) })));
    bench.emulator.wait_for_requests(Endpoint::Start, 2).await;
    // The third start would wait for a minute.
    tokio::task::yield_now().await;
    drop(stop);
    let reports = run.await.unwrap();
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
    assert_eq!(reports.len(), 1);
}

#[tokio::test]
async fn a_run_that_ends_reports_what_waits_for_another_attempt_as_it_failed() {
    let bench = Bench::of(2).await;
    bench.emulator.set_default_script(failing());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (stop, mut left) = (Arc::new(Mutex::new(Some(stop))), 2);
    let policy = RetryByOutcome::default().cooldown(Duration::from_secs(3600));
    let run = run(&bench).await.retry_policy(policy);
    let run = run.on_retry(move |_| {
        left -= 1;
        if left == 0 {
            drop(stop.lock().unwrap().take());
        }
    });
    let reports = all(run.until(async { drop(stopped.await) })).await;
    assert_eq!(count(&reports, ItemOutcome::FailedAtTulip), 2);
    for report in &reports {
        assert_eq!(report.attempts, 1);
        assert_eq!(
            report.failure().map(|error| error.kind()),
            Some(ExportErrorKind::JobFailed)
        );
    }
}

#[tokio::test]
async fn no_attempt_begins_after_a_deadline() {
    for of_run in [false, true] {
        let bench = Bench::of(1).await;
        bench.emulator.set_default_script(failing());
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        let policy = RetryByOutcome::default().cooldown(hour);
        let run = run(&bench).await.retry_policy(policy);
        let run = match of_run {
            true => run.time_limit(Some(minute)),
            false => run.item_time_limit(Some(minute)),
        };
        let reports = all(run).await;
        assert_eq!(count(&reports, ItemOutcome::FailedAtTulip), 1);
        assert_eq!(reports[0].attempts, 1);
    }
}

#[tokio::test]
async fn the_deadline_of_an_export_ends_it_and_no_other() {
    let bench = Bench::of(2).await;
    let slow = bench.emulator.machine_ids()[0].clone();
    let pending = JobScript::new().pending_until_released();
    bench.emulator.script_next_of(&slow, pending);
    let run = run(&bench).await;
    let reports = all(run.item_time_limit(Some(Duration::from_secs(5)))).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 1);
    let cut = reports.iter().find_map(|report| report.failure()).unwrap();
    assert_eq!(cut.kind(), ExportErrorKind::DeadlineExceeded);
    let limit = "the time limit of each export was reached";
    assert!(cut.to_string().contains(limit), "{cut}");
    // The job continues at Tulip.
    assert!(cut.job().is_some() && cut.is_retryable());
    assert_eq!(count(&reports, ItemOutcome::FailedAtTulip), 1);
}

#[tokio::test]
async fn a_run_in_which_all_jobs_fail_asks_for_few_before_it_stops() {
    let bench = Bench::of(40).await;
    bench.emulator.set_default_script(failing());
    let run = run(&bench).await.max_pending(1).concurrency(1);
    let mut run = run.start_rate(None);
    let mut reports = Vec::new();
    while let Some(report) = run.next().await {
        reports.push(report);
    }
    assert_eq!(reports.len(), 40);
    // Four have failed for good before the fifth stops the run. A new export is taken up only if at
    // most four wait for their next attempt and one is under way: with it, six are unfinished.
    let tried = 4 + 6;
    let starts = bench.emulator.requests().count(Endpoint::Start);
    assert!(starts <= 3 * tried, "{starts}");
    let left = run.stopped().map(|stopped| stopped.left);
    assert!(left.is_some_and(|left| left >= 40 - tried), "{left:?}");
}

/// A store that is down for a while.
#[derive(Debug, Default)]
struct Store {
    /// How many more probes fail. Until then, opening an object fails too.
    down_for_probes: AtomicUsize,
    probes: AtomicUsize,
    refused: AtomicUsize,
}

impl Store {
    fn is_down(&self) -> bool {
        self.down_for_probes.load(Ordering::SeqCst) > 0
    }

    fn down() -> SinkError {
        SinkError::new(SinkErrorKind::Unavailable, "503")
    }
}

#[async_trait]
impl Sink for Store {
    fn scheme(&self) -> &str {
        "test"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("test://{key}")
    }

    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        // The first probe is the plan's.
        if self.probes.fetch_add(1, Ordering::SeqCst) > 0 && self.is_down() {
            self.down_for_probes.fetch_sub(1, Ordering::SeqCst);
            return Err(Self::down());
        }
        Ok(Probe::checked(self.capabilities()))
    }

    async fn open(&self, _: &ObjectKey, _: &OpenOptions) -> Result<Box<dyn SinkWriter>, SinkError> {
        if self.is_down() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Self::down());
        }
        Ok(Box::new(Counted(0)))
    }
}

/// An object that keeps only its length.
struct Counted(u64);

#[async_trait]
impl SinkWriter for Counted {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.0 += chunk.len() as u64;
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        Ok(StoredObject::new(self.0))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Probes almost at once, and gives up after this many failed probes.
#[derive(Debug)]
struct Patient(u32);

impl ItemRetryPolicy for Patient {
    fn retry(&mut self, failed: &FailedAttempt<'_>) -> Option<Duration> {
        (failed.attempts < 3).then_some(Duration::ZERO)
    }

    fn probe_pause(&mut self, failed_probes: u32) -> Option<Duration> {
        (failed_probes < self.0).then_some(SOON)
    }
}

async fn run_to(store: &Arc<Store>, bench: &Bench) -> Run {
    let exporter = bench.exporter().to_sink(store.clone());
    let exporter = exporter.build().await.unwrap();
    let plan = Plan::new(&exporter, bench.sources().await).await.unwrap();
    Run::new(plan).stop_policy(NeverStop)
}

#[tokio::test]
async fn a_store_that_is_down_is_probed_and_not_hammered() {
    let bench = Bench::of(20).await;
    let store = Arc::new(Store::default());
    let run = run_to(&store, &bench).await;
    store.down_for_probes.store(6, Ordering::SeqCst);
    let reports = all(run.concurrency(2).retry_policy(Patient(100))).await;
    assert_eq!(count(&reports, ItemOutcome::Stored), 20, "{reports:?}");
    // The plan's probe, six that failed, and one that succeeded.
    assert_eq!(store.probes.load(Ordering::SeqCst), 8);
    let refused = store.refused.load(Ordering::SeqCst);
    assert!((1..=2).contains(&refused), "{refused}");
    // The jobs that were complete are used again.
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 20);
    let attempts: u32 = reports.iter().map(|report| report.attempts).sum();
    assert_eq!(attempts as usize, 20 + refused);
}

#[tokio::test]
async fn a_store_that_does_not_come_back_ends_the_run() {
    let bench = Bench::of(40).await;
    let store = Arc::new(Store::default());
    let run = run_to(&store, &bench).await;
    store.down_for_probes.store(usize::MAX, Ordering::SeqCst);
    let mut run = run.max_pending(2).concurrency(1).retry_policy(Patient(3));
    let mut reports = Vec::new();
    while let Some(report) = run.next().await {
        reports.push(report);
    }
    assert_eq!(reports.len(), 40);
    let stopped = run.stopped().unwrap();
    assert_eq!(stopped.why.kind, ExportErrorKind::StoreUnavailable);
    assert!(stopped.left >= 37, "{stopped:?}");
    assert_eq!(store.probes.load(Ordering::SeqCst), 4);
    let starts = bench.emulator.requests().count(Endpoint::Start);
    assert!(starts <= 3, "{starts}");
    let tried = reports.iter().filter(|report| report.attempts > 0);
    for report in tried {
        assert_eq!(report.outcome(), ItemOutcome::FailedToStore);
        assert!(report.job().is_some());
    }
}

#[tokio::test]
async fn without_retries_a_store_that_is_down_is_each_exports_own_failure() {
    let bench = Bench::of(5).await;
    let store = Arc::new(Store::default());
    let run = run_to(&store, &bench).await;
    store.down_for_probes.store(usize::MAX, Ordering::SeqCst);
    let reports = all(run.retry_policy(NeverRetryItem)).await;
    assert_eq!(count(&reports, ItemOutcome::FailedToStore), 5);
    assert_eq!(store.probes.load(Ordering::SeqCst), 1);
}
