//! The limits of a run: pending jobs, large archives, starts and time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tulip_emulator::{Endpoint, JobScript};
use tulip_fleet::archive::core::ObjectKey;
use tulip_fleet::archive::core::sink::{
    OpenOptions, Sink, SinkError, SinkWriter, StoredObject, async_trait,
};
use tulip_fleet::archive::{ExportErrorKind, Exporter, Source};
use tulip_fleet::{ItemOutcome, ItemReport, Phase, Plan, Run};

use crate::support::{Bench, all, count};

async fn plan(bench: &Bench, sources: Vec<Source>) -> Plan {
    let exporter = bench.exporter().build().await.unwrap();
    Plan::new(&exporter, sources).await.unwrap()
}

const LARGE: u64 = 20_000;

/// A sink that takes the bytes of large archives only once it is told to.
#[derive(Debug)]
struct Reluctant(watch::Receiver<bool>);

struct Counting {
    bytes: u64,
    ready: Option<watch::Receiver<bool>>,
}

#[async_trait]
impl Sink for Reluctant {
    fn scheme(&self) -> &str {
        "reluctant"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("reluctant://{key}")
    }

    async fn open(
        &self,
        _: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let is_large = options.size_hint.is_some_and(|bytes| bytes >= LARGE);
        let ready = is_large.then(|| self.0.clone());
        Ok(Box::new(Counting { bytes: 0, ready }))
    }
}

#[async_trait]
impl SinkWriter for Counting {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        if let Some(ready) = &mut self.ready {
            ready.wait_for(|is_ready| *is_ready).await.unwrap();
        }
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        Ok(StoredObject::new(self.bytes))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

fn pending() -> JobScript {
    JobScript::new().pending_until_released()
}

#[tokio::test]
async fn no_more_jobs_are_pending_than_allowed() {
    let bench = Bench::of(7).await;
    bench.emulator.set_default_script(pending());
    let plan = plan(&bench, bench.sources().await).await;
    let run = tokio::spawn(all(Run::new(plan).max_pending(3)));
    let mut polls = 0;
    for released in 0..7 {
        // A run that starts too many jobs would do so within this many polls.
        polls += 30;
        bench
            .emulator
            .wait_for_requests(Endpoint::Status, polls)
            .await;
        polls = bench.emulator.requests().count(Endpoint::Status);
        let started = bench.emulator.jobs();
        assert!(
            started.len() <= released + 3,
            "{released}: {}",
            started.len()
        );
        bench.emulator.release(&started[released].id);
    }
    assert_eq!(count(&run.await.unwrap(), ItemOutcome::Stored), 7);
}

#[tokio::test]
async fn a_slow_job_delays_no_other() {
    let bench = Bench::of(9).await;
    let sources = bench.sources().await;
    let slow = sources[0].known_machine().unwrap().clone();
    bench.emulator.script_next_of(&slow, pending());
    let plan = plan(&bench, sources).await;
    let mut run = Run::new(plan).concurrency(1).max_pending(2);
    let mut reports = Vec::new();
    while reports.len() < 8 {
        let report: ItemReport = run.next().await.unwrap();
        assert_ne!(report.source.known_machine(), Some(&slow));
        reports.push(report);
    }
    let jobs = bench.emulator.jobs();
    let of_slow = jobs.iter().find(|job| job.machine == slow);
    bench.emulator.release(&of_slow.unwrap().id);
    reports.push(run.next().await.unwrap());
    assert_eq!(count(&reports, ItemOutcome::Stored), 9);
    assert!(run.next().await.is_none());
}

#[tokio::test]
async fn large_archives_hold_up_no_small_one_however_many_there_are() {
    let bench = Bench::of(12).await;
    let sources = bench.sources().await;
    for large in &sources[..8] {
        let script = JobScript::new().rows(1000);
        bench
            .emulator
            .script_next_of(large.known_machine().unwrap(), script);
    }
    let (ready, is_ready) = watch::channel(false);
    let exporter = Exporter::builder(bench.client()).to_sink(Arc::new(Reluctant(is_ready)));
    let plan = Plan::new(&exporter.build().await.unwrap(), sources)
        .await
        .unwrap();
    let run = Run::new(plan).max_pending(1).concurrency(2);
    let mut run = run.large_from(LARGE);
    let mut reports = Vec::new();
    while reports.len() < 4 {
        let report = run.next().await.unwrap();
        assert!(report.measured.bytes < LARGE, "{}", report.measured.bytes);
        reports.push(report);
    }
    ready.send_replace(true);
    let large = all(run).await;
    assert!(large.iter().all(|report| report.measured.bytes >= LARGE));
    // All but the first were deferred: their turn to download came twice.
    let turns = large.iter().map(|report| {
        let phases = report.measured.phases.iter();
        let turn = phases.filter(|span| span.phase == Phase::Downloading);
        turn.count()
    });
    assert_eq!(turns.filter(|turns| *turns == 2).count(), 7);
    reports.extend(large);
    assert_eq!(count(&reports, ItemOutcome::Stored), 12);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 12);
}

#[tokio::test]
async fn starts_wait_for_their_rate_and_nothing_else_does() {
    let bench = Bench::of(3).await;
    let plan = plan(&bench, bench.sources().await).await;
    let run = Run::new(plan).start_rate(NonZeroUsize::new(2));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut run = run.until(async { drop(stopped.await) });
    let mut reports = Vec::new();
    while reports.len() < 2 {
        reports.push(run.next().await.unwrap());
    }
    assert_eq!(count(&reports, ItemOutcome::Stored), 2);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
    // The third would wait for a minute, but not once the run must end.
    drop(stop);
    let third = run.next().await.unwrap();
    assert_eq!(third.outcome(), ItemOutcome::NotStarted);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
}

#[tokio::test]
async fn jobs_that_are_known_need_no_start() {
    let bench = Bench::of(1).await;
    let job = || bench.emulator.add_job(JobScript::new()).unwrap();
    let sources = (0..4).map(|_| Source::job(job())).collect();
    let plan = plan(&bench, sources).await;
    let run = Run::new(plan).start_rate(NonZeroUsize::new(1));
    assert_eq!(count(&all(run).await, ItemOutcome::Stored), 4);
}

#[tokio::test]
async fn the_time_limit_ends_the_run_in_order() {
    let bench = Bench::of(4).await;
    bench.emulator.set_default_script(pending());
    let plan = plan(&bench, bench.sources().await).await;
    let run = Run::new(plan).max_pending(1).concurrency(1);
    let mut run = run.time_limit(Some(Duration::from_millis(200)));
    let mut reports = Vec::new();
    while let Some(report) = run.next().await {
        reports.push(report);
    }
    assert_eq!(reports.len(), 4);
    let stopped = run.stopped().unwrap();
    assert_eq!(stopped.why.kind, ExportErrorKind::DeadlineExceeded);
    let untried = reports.iter().filter(|report| report.attempts == 0);
    assert_eq!(untried.count(), stopped.left);
    for report in &reports {
        let error = report.result.as_ref().unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::DeadlineExceeded);
        assert!(error.is_retryable());
        let limit = "the time limit of the run was reached";
        assert!(error.to_string().contains(limit), "{error}");
    }
    assert_eq!(bench.archives(), 0);
}
