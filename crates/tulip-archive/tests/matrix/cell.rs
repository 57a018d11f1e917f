//! One cell: an export that meets its fault.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{
    Client, Event, ExportError, Exporter, KeyTemplate, MachineId, Outcome, Settings, Source,
};
use tulip_core::ObjectKey;
use tulip_core::sink::{OpenOptions, Sink};
use tulip_emulator::{Emulator, Endpoint, Fault, JobScript};
use tulip_http::ExponentialBackoff;

use crate::archive::{Archive, Size};
use crate::check::{self, CaseResult};
use crate::column::{Column, Place};
use crate::plan::{Draw, Plan, Row};
use crate::storage::Storage;
use crate::weak::{Taken, Weak};

/// The key of the object that every cell starts with and tries to replace.
pub(crate) const KEY: &str = "latest.csv";

/// Longer than any cell takes on any machine. Only a hang reaches it.
const HANG: Duration = Duration::from_secs(600);

/// A row in one of its columns.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) heading: &'static str,
    pub(crate) row: Arc<Row>,
    pub(crate) column: Column,
    pub(crate) seed: u64,
}

/// Everything known about a cell that has run.
pub(crate) struct Ran {
    pub(crate) plan: Plan,
    pub(crate) result: Result<Outcome, ExportError>,
    pub(crate) emulator: Emulator,
    pub(crate) storage: Storage,
    pub(crate) machine: MachineId,
    pub(crate) previous: Stored,
    /// How often the sink's weakness has shown or the server's rule has applied.
    pub(crate) shown: usize,
    pub(crate) has_rule: bool,
    pub(crate) took: Duration,
    /// The exporter and its events, as text.
    pub(crate) told: Vec<String>,
}

/// A stored object and its receipt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) object: Vec<u8>,
    pub(crate) receipt: Vec<u8>,
}

impl Stored {
    pub(crate) fn read(storage: &Storage) -> Self {
        Self {
            object: storage.read(KEY),
            receipt: storage.read(&format!("_{KEY}.receipt.json")),
        }
    }
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{}: {} / {}", self.heading, self.row.fault, self.column)
    }

    /// Random numbers that do not depend on which other cells run.
    fn rng(&self) -> Rng {
        let name = self.name();
        let own = name.bytes().fold(self.seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Rng::with_seed(own)
    }

    pub(crate) async fn run(&self) -> CaseResult {
        let began = Instant::now();
        let taken = Arc::default();
        let result = match tokio::time::timeout(HANG, self.run_unlimited(&taken)).await {
            Ok(ran) => check::all(&ran),
            Err(_) => CaseResult::failed(format!(
                "no end after {HANG:?}; the sink was given {taken:?}"
            )),
        };
        CaseResult {
            took: began.elapsed(),
            chunks: taken.chunks.load(Ordering::Relaxed),
            ..result
        }
    }

    async fn run_unlimited(&self, taken: &Arc<Taken>) -> Ran {
        let mut rng = self.rng();
        let splits = self.column.1.splits();
        let size = match splits {
            true => Size::Large,
            false => self.row.size,
        };
        let archive = Archive::draw(&mut rng, size);
        let emulator = Emulator::builder().machines(1).seed(rng.u64(..));
        let emulator = emulator.start().await.unwrap();
        let storage = Storage::start(self.column.0).await;
        let sink = storage.sink().await;
        let mut draw = Draw {
            rng,
            column: self.column,
            archive,
        };
        let mut plan = (self.row.plan)(&mut draw);
        if splits {
            // A fault that lasts may begin at any of the first ranges, and those beside it may meet
            // it too. If it must end the export, it begins at the second at the latest: that range
            // may cover all the rest.
            let most = if plan.must_fail() { 1 } else { 3 };
            let passed = draw.rng.usize(0..=most);
            emulator.fail_next(Endpoint::Asset, passed, Fault::None);
            plan = plan.asked(1..=200).requests(300);
        }
        store_previous(sink.as_ref()).await;
        let previous = Stored::read(&storage);
        let machine = emulator.machine_ids()[0].clone();
        let source = source(&emulator, &machine, &plan);
        let has_rule = plan.rule.is_some();
        let held = plan.rule.take().map(|rule| storage.refuse(rule));
        let weak = Arc::new(Weak::new(sink, plan.weakness, taken.clone()));
        let exporter = exporter(client(&emulator, &plan, splits), weak.clone(), &plan).await;
        let told = Arc::new(Mutex::new(vec![format!("{exporter:?}")]));
        let tells = told.clone();
        let began = Instant::now();
        let result = exporter
            .export(source)
            .on_event(move |event| tells.lock().unwrap().extend(words(&event)))
            .await;
        let told = std::mem::take(&mut *told.lock().unwrap());
        let held = held.map_or(0, |held| held.load(Ordering::Relaxed));
        Ran {
            plan,
            result,
            emulator,
            storage,
            machine,
            previous,
            shown: weak.shown() + held,
            has_rule,
            took: began.elapsed(),
            told,
        }
    }
}

/// Sets up the job with its faults, and returns the source of the export.
fn source(emulator: &Emulator, machine: &MachineId, plan: &Plan) -> Source {
    if plan.has_job {
        return Source::job(emulator.add_job(plan.script.clone()).unwrap());
    }
    emulator.script_next_of(machine, plan.script.clone());
    for fault in plan.start_faults.clone() {
        emulator.fail_next(Endpoint::Start, 1, fault);
    }
    Source::machine(machine.clone())
}

/// An event as text.
fn words(event: &Event<'_>) -> Vec<String> {
    match event {
        // Frequent, and only numbers.
        Event::Progress { .. } => Vec::new(),
        Event::WaitFailing { error } => vec![format!("{event:?}"), error.to_string()],
        _ => vec![format!("{event:?}")],
    }
}

/// Ranges of a split archive are no smaller than this.
const RANGE: u64 = 1024 * 1024;

fn client(emulator: &Emulator, plan: &Plan, splits: bool) -> Client {
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let retry = ExponentialBackoff::default()
        .retries(plan.retries)
        .delays(Duration::ZERO, Duration::ZERO);
    let builder = Client::builder(settings).retry(retry);
    let builder = match splits {
        true => builder.split_above(RANGE).read_ahead(4 * RANGE),
        false => builder,
    };
    builder.read_timeout(plan.stall).build().unwrap()
}

async fn exporter(client: Client, sink: Arc<dyn Sink>, plan: &Plan) -> Exporter {
    let pace = Duration::from_millis(1);
    let poll = PollPolicy::default().intervals(pace, pace);
    let builder = Exporter::builder(client)
        .to_sink(sink)
        .name(KeyTemplate::parse(KEY).unwrap())
        .poll(poll.time_limit(Some(plan.deadline)));
    let builder = match plan.max_bytes {
        Some(bytes) => builder.max_bytes(bytes),
        None => builder,
    };
    builder.build().await.unwrap()
}

/// Stores the object and the receipt that every cell starts with.
async fn store_previous(sink: &dyn Sink) {
    static PREVIOUS: OnceCell<Stored> = OnceCell::const_new();
    let previous = PREVIOUS.get_or_init(export_previous).await;
    for (key, bytes) in [
        (KEY.to_owned(), &previous.object),
        (format!("_{KEY}.receipt.json"), &previous.receipt),
    ] {
        let key = ObjectKey::new(&key).unwrap();
        let mut writer = sink.open(&key, &OpenOptions::default()).await.unwrap();
        writer.write(bytes.clone().into()).await.unwrap();
        writer.close().await.unwrap();
    }
}

/// Exports an object with its receipt, and returns both.
async fn export_previous() -> Stored {
    let emulator = Emulator::builder().machines(1).start().await.unwrap();
    let script = JobScript::new().content(Archive::previous());
    let job = emulator.add_job(script).unwrap();
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let client = Client::builder(settings).build().unwrap();
    let storage = Storage::start(Place::Fs).await;
    let exporter = Exporter::builder(client)
        .to_sink(storage.sink().await)
        .name(KeyTemplate::parse(KEY).unwrap());
    let exporter = exporter.build().await.unwrap();
    exporter.export(Source::job(job)).await.unwrap();
    Stored::read(&storage)
}
