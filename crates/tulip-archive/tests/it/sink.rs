//! Custom sinks, registered explicitly. Some of them fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tulip_archive::{
    CreateOnly, Event, ExportError, ExportErrorKind, Exporter, ExporterBuilder, IfExists, Outcome,
    Source,
};
use tulip_core::NetworkOptions;
use tulip_core::sink::{
    Capabilities, Metadata, OpenOptions, Probe, Sink, SinkError, SinkErrorKind, SinkFactory,
    SinkRegistry, SinkUrl, SinkWriter, StoredObject, WriteMode, async_trait,
};
use tulip_core::{Checksum, ChecksumAlgorithm, ObjectKey};
use tulip_emulator::{Endpoint, JobScript};

use crate::support::{Bench, fast};

/// Where the sink fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weak {
    Nowhere,
    Probe,
    Open,
    Write,
    Close,
    Receipt,
    /// It reports fewer bytes than it was given.
    Short,
    /// Its store reports a different checksum from ours.
    Garbled,
    /// Its store does not keep its promise of atomic creation.
    Forgetful,
    /// Another writer has just stored the object.
    Raced,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    metadata: BTreeMap<String, Metadata>,
    aborted: usize,
}

#[derive(Debug, Clone)]
struct Memory {
    weak: Weak,
    state: Arc<Mutex<State>>,
}

struct Writer {
    sink: Memory,
    key: String,
    bytes: Vec<u8>,
    metadata: Metadata,
}

impl Memory {
    fn new(weak: Weak) -> Self {
        let state = Arc::default();
        Self { weak, state }
    }

    fn fail_if(&self, weak: bool, at: &str) -> Result<(), SinkError> {
        match weak {
            true => Err(SinkError::new(SinkErrorKind::StorageFull, at)),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Sink for Memory {
    fn scheme(&self) -> &str {
        "memory"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("memory://{key}")
    }

    fn capabilities(&self) -> Capabilities {
        match self.weak {
            Weak::Forgetful | Weak::Raced => Capabilities::NONE.with_lookup().with_atomic_create(),
            _ => Capabilities::NONE,
        }
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        let state = self.state.lock().unwrap();
        let found = state.objects.get(key.as_str());
        Ok(found.map(|bytes| StoredObject::new(bytes.len() as u64)))
    }

    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        self.fail_if(self.weak == Weak::Probe, "probe")?;
        let mut can = Sink::capabilities(self);
        can.atomic_create &= self.weak != Weak::Forgetful;
        Ok(Probe::checked(can))
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        self.fail_if(self.weak == Weak::Open, "open")?;
        let refused = match self.weak {
            _ if options.mode != WriteMode::Create => None,
            Weak::Forgetful => Some(SinkErrorKind::Unsupported),
            Weak::Raced => Some(SinkErrorKind::AlreadyExists),
            _ => None,
        };
        if let Some(kind) = refused {
            return Err(SinkError::new(kind, "create"));
        }
        let is_receipt = key.is_receipt();
        self.fail_if(self.weak == Weak::Receipt && is_receipt, "receipt")?;
        Ok(Box::new(Writer {
            sink: self.clone(),
            key: key.to_string(),
            bytes: Vec::new(),
            metadata: options.metadata.clone(),
        }))
    }
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes.extend_from_slice(&chunk);
        self.sink.fail_if(self.sink.weak == Weak::Write, "write")
    }

    fn annotate(&mut self, metadata: &Metadata) {
        self.metadata.extend(metadata.clone());
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        self.sink.fail_if(self.sink.weak == Weak::Close, "close")?;
        let lost = u64::from(self.sink.weak == Weak::Short);
        let other = Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &[7; 8]).unwrap();
        let checksum = (self.sink.weak == Weak::Garbled).then_some(other);
        let stored = StoredObject::new(self.bytes.len() as u64 - lost).with_checksum(checksum);
        let mut state = self.sink.state.lock().unwrap();
        state.metadata.insert(self.key.clone(), self.metadata);
        state.objects.insert(self.key, self.bytes);
        Ok(stored)
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        self.sink.state.lock().unwrap().aborted += 1;
        Ok(())
    }
}

#[async_trait]
impl SinkFactory for Memory {
    fn scheme(&self) -> &str {
        "memory"
    }
    fn summary(&self) -> &str {
        "memory"
    }
    fn example(&self) -> &str {
        "memory://x"
    }
    async fn connect(&self, _: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(self.clone()))
    }
}

fn into(bench: &Bench, sink: &Memory) -> ExporterBuilder {
    let mut registry = SinkRegistry::empty();
    registry.register(sink.clone()).unwrap();
    let builder = Exporter::builder(bench.client()).poll(fast());
    builder.registry(registry).to("memory://x")
}

async fn export(bench: &Bench, weak: Weak) -> (Result<(), ExportError>, Memory) {
    let sink = Memory::new(weak);
    let exporter = into(bench, &sink).build().await.unwrap();
    let machine = bench.emulator.machine_ids()[0].clone();
    let result = exporter.export(Source::machine(machine)).await;
    (result.map(|_| ()), sink)
}

#[tokio::test]
async fn a_custom_sink_is_found_by_its_scheme_and_filled() {
    let bench = Bench::start().await;
    let (result, sink) = export(&bench, Weak::Nowhere).await;
    result.unwrap();
    let state = sink.state.lock().unwrap();
    assert_eq!((state.objects.len(), state.aborted), (2, 0));
    let machine = bench.emulator.machine_ids()[0].clone();
    let archive = bench.emulator.archive(&machine).unwrap().to_bytes();
    assert!(state.objects.values().any(|object| *object == archive));
}

#[tokio::test]
async fn wherever_a_sink_fails_nothing_is_stored_and_the_first_error_is_reported() {
    for (weak, aborted, says) in [
        (Weak::Probe, 0, "cannot use the sink"),
        (Weak::Open, 0, "could not store archive"),
        (Weak::Write, 1, "could not store archive"),
        (Weak::Close, 0, "could not store archive"),
    ] {
        let bench = Bench::start().await;
        let (result, sink) = export(&bench, weak).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::StoreFull);
        assert!(error.to_string().contains(says), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("no space left"), "{cause}");
        let state = sink.state.lock().unwrap();
        assert_eq!(
            (state.objects.len(), state.aborted),
            (0, aborted),
            "{weak:?}"
        );
    }
}

#[tokio::test]
async fn no_job_is_started_for_a_sink_that_cannot_be_used() {
    let bench = Bench::start().await;
    let (result, _) = export(&bench, Weak::Probe).await;
    assert!(result.is_err());
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}

#[tokio::test]
async fn a_receipt_that_cannot_be_stored_is_an_error_that_says_the_object_is() {
    let bench = Bench::start().await;
    let (result, sink) = export(&bench, Weak::Receipt).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::StoreFull);
    assert!(
        error
            .to_string()
            .contains("is stored, but its receipt could not be written"),
        "{error}"
    );
    assert_eq!(sink.state.lock().unwrap().objects.len(), 1);
}

#[tokio::test]
async fn a_sink_that_says_it_stored_less_is_not_believed_to_have_stored_all() {
    let bench = Bench::start().await;
    let (result, sink) = export(&bench, Weak::Short).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Store);
    assert!(error.to_string().contains(" were sent"), "{error}");
    // No receipt vouches for it.
    assert_eq!(sink.state.lock().unwrap().objects.len(), 1);
}

#[tokio::test]
async fn job_machine_and_checksum_are_kept_beside_the_object_and_its_receipt() {
    let bench = Bench::start().await;
    let sink = Memory::new(Weak::Nowhere);
    let exporter = into(&bench, &sink).build().await.unwrap();
    let machine = bench.emulator.machine_ids()[0].clone();
    let outcome = exporter.export(Source::machine(machine.clone())).await;
    let receipt = outcome.unwrap().receipt().unwrap().clone();
    let kept = Metadata::from([
        ("tulip-job".to_owned(), receipt.job.to_string()),
        ("tulip-machine".to_owned(), machine.to_string()),
        ("tulip-checksum".to_owned(), receipt.checksum.to_string()),
    ]);
    let state = sink.state.lock().unwrap();
    assert_eq!(state.metadata.len(), 2);
    assert!(state.metadata.values().all(|metadata| *metadata == kept));
}

#[tokio::test]
async fn a_store_that_computes_another_checksum_has_other_bytes() {
    for algorithm in [ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256] {
        let bench = Bench::start().await;
        let sink = Memory::new(Weak::Garbled);
        let exporter = into(&bench, &sink).checksum(algorithm).build().await;
        let machine = bench.emulator.machine_ids()[0].clone();
        let exported = exporter.unwrap().export(Source::machine(machine)).await;
        let error = exported.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::Store);
        assert!(error.is_retryable());
        assert!(error.to_string().contains("other bytes"), "{error}");
        // No receipt vouches for it.
        assert_eq!(sink.state.lock().unwrap().objects.len(), 1);
    }
}

#[tokio::test]
async fn where_a_sink_cannot_promise_to_create_it_is_looked_before() {
    let bench = Bench::start().await;
    let sink = Memory::new(Weak::Forgetful);
    let builder = into(&bench, &sink).if_exists(IfExists::Fail);
    let exporter = builder.build().await.unwrap();
    let job = bench.emulator.add_job(JobScript::new()).unwrap();
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    let Outcome::Exported { create_only, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(create_only, Some(CreateOnly::CheckedBefore));
    let error = exporter.export(Source::job(job)).await.unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
}

#[tokio::test]
async fn an_object_that_somebody_else_stored_in_between_is_skipped() {
    let bench = Bench::start().await;
    let sink = Memory::new(Weak::Raced);
    let builder = into(&bench, &sink).if_exists(IfExists::Skip);
    let exporter = builder.build().await.unwrap();
    let machine = bench.emulator.machine_ids()[0].clone();
    let outcome = exporter.export(Source::machine(machine)).await.unwrap();
    assert!(matches!(outcome, Outcome::Skipped { .. }), "{outcome:?}");
}

#[tokio::test]
async fn options_go_with_a_url_and_unknown_ones_are_refused() {
    let bench = Bench::start().await;
    let built = into(&bench, &Memory::new(Weak::Nowhere)).memory(1 << 24);
    let error = built.build().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::InvalidRequest);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains(r#"no option "memory"; it has none"#),
        "{cause}"
    );
    let sink = Arc::new(Memory::new(Weak::Nowhere));
    let built = Exporter::builder(bench.client()).to_sink(sink).memory(1);
    let error = built.build().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::InvalidRequest);
}

#[tokio::test]
async fn the_job_of_a_failed_machine_export_is_told() {
    let bench = Bench::start().await;
    let (result, _) = export(&bench, Weak::Write).await;
    let started = bench.emulator.jobs()[0].id.clone();
    assert_eq!(result.unwrap_err().job(), Some(&started));
    let (result, _) = export(&bench, Weak::Probe).await;
    assert_eq!(result.unwrap_err().job(), None);
}

#[tokio::test]
async fn rules_that_a_sink_cannot_keep_are_refused_beforehand() {
    let bench = Bench::start().await;
    for rule in [IfExists::Skip, IfExists::Fail] {
        let built = into(&bench, &Memory::new(Weak::Nowhere))
            .if_exists(rule)
            .build()
            .await;
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::InvalidRequest);
        assert!(error.to_string().contains("the memory sink"), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_scheme_and_a_missing_target_are_refused() {
    let bench = Bench::start().await;
    let error = Exporter::builder(bench.client())
        .to("pigeon://loft")
        .build()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::InvalidRequest);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains(r#"no sink has the scheme "pigeon"; there are: "#) && cause.contains("file"),
        "{cause}"
    );
    let error = Exporter::builder(bench.client()).build().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::InvalidRequest);
}

#[tokio::test]
async fn events_tell_the_export_in_order() {
    let bench = Bench::start().await;
    bench
        .emulator
        .script_next(JobScript::new().pending_polls(1).rows(50_000));
    let exporter = into(&bench, &Memory::new(Weak::Nowhere))
        .build()
        .await
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let machine = bench.emulator.machine_ids()[0].clone();
    let outcome = exporter
        .export(Source::machine(machine))
        .on_event(move |event| {
            let name = match event {
                Event::Started { .. } => "started",
                Event::Waiting { .. } => "waiting",
                Event::Complete { .. } => "complete",
                Event::Opening => "opening",
                Event::Downloading { length, .. } => {
                    assert!(length.is_some());
                    "downloading"
                }
                Event::Progress { bytes, length, .. } => {
                    assert!(length.is_some_and(|length| bytes <= length));
                    "progress"
                }
                Event::Committing => "committing",
                Event::Exported { .. } => "exported",
                other => panic!("{other:?}"),
            };
            let mut log = log.lock().unwrap();
            if log.last() != Some(&name) {
                log.push(name);
            }
        })
        .await
        .unwrap();
    assert!(outcome.receipt().is_some());
    let expected = [
        "started",
        "waiting",
        "complete",
        "opening",
        "downloading",
        "progress",
        "committing",
        "exported",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
