//! Exports that end early, and the next run of the same export.

mod bytes;
mod record;
mod starts;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tulip_archive::state::{ClaimOutcome, StoredRecord};
use tulip_archive::{
    EndReason, Event, ExportError, ExportErrorKind, Exporter, ExporterBuilder, IncompleteExport,
    KeyTemplate, MachineId, MemoryStateStore, Outcome, Source, StateStore,
};
use tulip_core::Timestamp;
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::support::{Bench, receipt};

const ROWS: u64 = 120_000;
/// About 45 MB: more than the distance between two checkpoints.
const MANY_ROWS: u64 = 420_000;

struct Resumable {
    bench: Bench,
    state: MemoryStateStore,
    machine: MachineId,
}

type Running = tokio::task::JoinHandle<Result<Outcome, ExportError>>;

/// The events of an export, one word each.
type Told = Arc<Mutex<Vec<&'static str>>>;

impl Resumable {
    async fn start() -> Self {
        let bench = Bench::start().await;
        let machine = bench.emulator.machine_ids()[0].clone();
        Self {
            bench,
            state: MemoryStateStore::new(),
            machine,
        }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.state.clone())
    }

    async fn list(&self) -> Vec<IncompleteExport> {
        IncompleteExport::list(&self.state).await.unwrap()
    }

    async fn records(&self) -> Vec<StoredRecord> {
        self.state.list().await.unwrap()
    }

    /// Stores a record, in place of the one with this id if there is one.
    async fn put(&self, id: &str, text: &str) {
        let new = Some(text.to_owned());
        let claim = match self.state.claim(id, new).await.unwrap() {
            ClaimOutcome::Created(claim) | ClaimOutcome::Found { claim, .. } => claim,
            other => panic!("{other:?}"),
        };
        self.state
            .save(&claim, text.to_owned(), true)
            .await
            .unwrap();
        self.state.release(claim);
    }

    fn builder(&self) -> ExporterBuilder {
        self.bench
            .exporter()
            .name(KeyTemplate::parse("latest.csv").unwrap())
            .state(self.store())
    }

    async fn exporter(&self) -> Exporter {
        self.builder().build().await.unwrap()
    }

    async fn discard(&self, open: &IncompleteExport) -> bool {
        let sink = self.exporter().await.sink().clone();
        open.discard(self.store(), sink.as_ref()).await.unwrap()
    }

    fn source(&self) -> Source {
        Source::machine(self.machine.clone())
    }

    fn starts(&self) -> usize {
        self.bench.emulator.requests().starts(&self.machine)
    }

    fn whole(&self) -> Vec<u8> {
        let jobs = self.bench.emulator.jobs();
        self.bench.content(&jobs.last().unwrap().id)
    }

    fn staged(&self) -> Vec<PathBuf> {
        let names = self.bench.files().into_iter();
        names
            .filter(|name| name.ends_with(".partial"))
            .map(|name| self.bench.folder.path().join(name))
            .collect()
    }

    /// Starts an export of about 11 MB, and cancels it once more than 5 MB have arrived.
    async fn begin(&self, script: JobScript) {
        let stalls = [Fault::Stall { after: 9_000_000 }];
        let script = script.rows(ROWS).asset_faults(stalls);
        self.bench.emulator.script_next(script);
        self.cancel_at(5_000_000).await;
    }

    /// Starts the export, and cancels it once more than `reached` bytes have arrived.
    async fn cancel_at(&self, reached: u64) {
        let error = self.end_at(reached, EndReason::Interrupted).await;
        assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    }

    /// Starts the export, and ends it once more than `reached` bytes have arrived.
    async fn end_at(&self, reached: u64, reason: EndReason) -> ExportError {
        let (end, ended) = oneshot::channel::<()>();
        let mut end = Some(end);
        self.exporter()
            .await
            .export(self.source())
            .on_event(move |event| {
                if matches!(event, Event::Progress { bytes, .. } if bytes > reached) {
                    end.take();
                }
            })
            .until(async {
                let _ = ended.await;
                reason
            })
            .await
            .unwrap_err()
    }

    /// Starts an export whose job is pending until it is released.
    async fn wait_in(&self, exporter: &Exporter, script: JobScript) -> Running {
        let emulator = &self.bench.emulator;
        emulator.script_next(script.pending_until_released());
        let export = tokio::spawn(exporter.export(self.source()).into_future());
        emulator.wait_for_requests(Endpoint::Status, 1).await;
        export
    }

    fn release(&self) {
        for job in self.bench.emulator.jobs() {
            self.bench.emulator.release(&job.id);
        }
    }

    async fn run(&self, builder: ExporterBuilder) -> (Outcome, Vec<&'static str>) {
        let exporter = builder.build().await.unwrap();
        let (told, tell) = telling();
        let outcome = exporter.export(self.source()).on_event(tell).await.unwrap();
        let told = told.lock().unwrap().clone();
        (outcome, told)
    }
}

fn telling() -> (Told, impl FnMut(Event<'_>) + Send) {
    let told = Told::default();
    let tells = told.clone();
    let tell = move |event: Event<'_>| {
        let word = match event {
            Event::Started { .. } => "started",
            Event::ResumingJob { .. } => "attached",
            Event::Downloading { .. } => "downloading",
            Event::Resuming { .. } => "resuming",
            Event::Exported { .. } => "exported",
            Event::Unchanged { .. } => "unchanged",
            _ => return,
        };
        tells.lock().unwrap().push(word);
    };
    (told, tell)
}
