//! Existing objects, and stores that lose an answer or an object when they are replaced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tulip_archive::{
    Advice, CreateOnly, ExportErrorKind, Exporter, IfExists, Outcome, Source, StateStore as _,
};
use tulip_core::sink::{
    Capabilities, OpenOptions, Sink, SinkError, SinkErrorKind, SinkReader, SinkWriter,
    StoredObject, async_trait,
};
use tulip_core::{ObjectKey, Receipt};
use tulip_emulator::{Endpoint, JobScript};

use crate::support::{Bench, fast};

/// What happens to an object of a [`Shelf`] when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    /// It is stored, but the answer is this error.
    AnswerLost(SinkErrorKind),
    /// Another archive of the same size is stored instead, and the answer is this error.
    Beaten(SinkErrorKind),
    /// Another writer replaces it while its receipt is written.
    Replaced,
    /// Another writer removes it while its receipt is written.
    Removed,
}

/// Objects in memory, which can be looked up and read.
#[derive(Debug, Clone)]
struct Shelf {
    mishap: Mishap,
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

struct Object {
    shelf: Shelf,
    key: ObjectKey,
    bytes: Vec<u8>,
}

struct Reader(Option<Bytes>);

impl Shelf {
    fn new(mishap: Mishap) -> Self {
        Self {
            mishap,
            objects: Arc::default(),
        }
    }

    fn get(&self, key: &ObjectKey) -> Option<Vec<u8>> {
        self.objects.lock().unwrap().get(key.as_str()).cloned()
    }

    async fn exporter(&self, bench: &Bench, rule: IfExists) -> Exporter {
        let builder = Exporter::builder(bench.client()).poll(fast());
        let builder = builder.to_sink(Arc::new(self.clone())).if_exists(rule);
        builder
            .name("latest.csv".parse().unwrap())
            .build()
            .await
            .unwrap()
    }
}

#[async_trait]
impl Sink for Shelf {
    fn scheme(&self) -> &str {
        "shelf"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("shelf://{key}")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .with_lookup()
            .with_read()
            .with_atomic_create()
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        let found = self.get(key);
        Ok(found.map(|bytes| StoredObject::new(bytes.len() as u64)))
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let found = self.get(key);
        Ok(found.map(|bytes| Box::new(Reader(Some(bytes.into()))) as Box<dyn SinkReader>))
    }

    async fn open(
        &self,
        key: &ObjectKey,
        _: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        Ok(Box::new(Object {
            shelf: self.clone(),
            key: key.clone(),
            bytes: Vec::new(),
        }))
    }
}

#[async_trait]
impl SinkReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        Ok(self.0.take())
    }
}

#[async_trait]
impl SinkWriter for Object {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        let stored = StoredObject::new(self.bytes.len() as u64);
        let mishap = self.shelf.mishap;
        let mut objects = self.shelf.objects.lock().unwrap();
        let archive = ObjectKey::new("latest.csv").unwrap();
        let failed = match mishap {
            Mishap::AnswerLost(kind) if self.key == archive => Some(kind),
            Mishap::Beaten(kind) if self.key == archive => {
                self.bytes.reverse();
                Some(kind)
            }
            Mishap::Replaced if self.key != archive => {
                objects.insert(archive.to_string(), b"a,b\n1,2\n".to_vec());
                None
            }
            Mishap::Removed if self.key != archive => {
                objects.remove(archive.as_str());
                None
            }
            _ => None,
        };
        objects.insert(self.key.to_string(), self.bytes);
        match failed {
            Some(kind) => Err(SinkError::new(kind, "the answer was lost")),
            None => Ok(stored),
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_looked_up_and_gets_its_receipt() {
    for rule in [IfExists::Overwrite, IfExists::Skip, IfExists::Fail] {
        for kind in [SinkErrorKind::Unavailable, SinkErrorKind::AlreadyExists] {
            let bench = Bench::start().await;
            let shelf = Shelf::new(Mishap::AnswerLost(kind));
            let job = bench.job(JobScript::new().rows(100));
            let exporter = shelf.exporter(&bench, rule).await;
            let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
            assert!(matches!(outcome, Outcome::Exported { .. }), "{outcome:?}");
            let key = ObjectKey::new("latest.csv").unwrap();
            assert!(shelf.get(&key).unwrap() == bench.content(&job));
            let receipt = Receipt::from_json(&shelf.get(&key.receipt()).unwrap()).unwrap();
            assert_eq!(receipt.job, job);
        }
    }
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken_for_ours_though_it_has_our_size() {
    let bench = Bench::start().await;
    let shelf = Shelf::new(Mishap::Beaten(SinkErrorKind::AlreadyExists));
    let job = bench.job(JobScript::new().rows(100));
    let exporter = shelf.exporter(&bench, IfExists::Fail).await;
    let error = exporter.export(Source::job(job)).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::AlreadyExists);
    let key = ObjectKey::new("latest.csv").unwrap();
    assert_eq!(shelf.get(&key.receipt()), None);
}

#[tokio::test]
async fn of_two_writers_of_one_key_the_one_that_was_replaced_says_so() {
    for (mishap, says) in [
        (Mishap::Replaced, "was replaced by another writer"),
        (Mishap::Removed, "was removed by another writer"),
    ] {
        let bench = Bench::start().await;
        let job = bench.job(JobScript::new().rows(100));
        let exporter = Shelf::new(mishap)
            .exporter(&bench, IfExists::Overwrite)
            .await;
        let error = exporter.export(Source::job(job)).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::Conflict);
        assert!(error.is_retryable());
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn an_outcome_tells_how_an_existing_object_was_kept() {
    let bench = Bench::start().await;
    for (rule, expected) in [
        (IfExists::Overwrite, None),
        (IfExists::Skip, Some(CreateOnly::Atomic)),
    ] {
        let job = bench.job(JobScript::new().rows(100));
        let exporter = Shelf::new(Mishap::None).exporter(&bench, rule).await;
        match exporter.export(Source::job(job)).await.unwrap() {
            Outcome::Exported { create_only, .. } => assert_eq!(create_only, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_archive_without_records_replaces_none_that_has_some() {
    let bench = Bench::start().await;
    let builder = || bench.exporter().name("latest.csv".parse().unwrap());
    let empty = || bench.job(JobScript::new().content("State,Start Time\r\n"));
    let exporter = builder().build().await.unwrap();
    // If there is nothing to lose, it is an archive like any other.
    exporter.export(Source::job(empty())).await.unwrap();
    exporter.export(Source::job(empty())).await.unwrap();
    let full = bench.job(JobScript::new().rows(100));
    exporter.export(Source::job(full.clone())).await.unwrap();
    let error = exporter.export(Source::job(empty())).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::EmptyArchive);
    assert_eq!(error.advice(), Some(&Advice::AllowEmpty));
    assert!(error.to_string().contains("with 100 records"), "{error}");
    assert!(bench.read("latest.csv") == bench.content(&full));
    assert_eq!(bench.files().len(), 2, "{:?}", bench.files());
    let allowing = builder().allow_empty(true).build().await.unwrap();
    allowing.export(Source::job(empty())).await.unwrap();
    assert_eq!(bench.read("latest.csv"), b"State,Start Time\r\n");
}

/// The receipt says how many records there are; without it, the bytes have to do.
#[tokio::test]
async fn an_archive_without_records_replaces_none_whose_receipt_is_gone() {
    let bench = Bench::start().await;
    let builder = || bench.exporter().name("latest.csv".parse().unwrap());
    let empty = || bench.job(JobScript::new().content("State,Start Time\r\n"));
    let exporter = builder().build().await.unwrap();
    let full = bench.job(JobScript::new().rows(100));
    exporter.export(Source::job(full.clone())).await.unwrap();
    let receipt = bench.folder.path().join("_latest.csv.receipt.json");
    let kept = std::fs::read(&receipt).unwrap();
    std::fs::write(&receipt, "{bad").unwrap();
    let damaged = exporter.export(Source::job(empty())).await.unwrap_err();
    std::fs::remove_file(&receipt).unwrap();
    let missing = exporter.export(Source::job(empty())).await.unwrap_err();
    for error in [damaged, missing] {
        assert_eq!(error.kind(), ExportErrorKind::EmptyArchive, "{error}");
        assert!(error.to_string().contains("missing or damaged"), "{error}");
    }
    assert!(bench.read("latest.csv") == bench.content(&full));
    // A receipt without its archive says nothing of what would be lost.
    std::fs::write(&receipt, kept).unwrap();
    std::fs::remove_file(bench.folder.path().join("latest.csv")).unwrap();
    exporter.export(Source::job(empty())).await.unwrap();
}

#[tokio::test]
async fn a_receipt_that_an_earlier_run_owes_is_written_without_another_download() {
    let bench = Bench::start().await;
    let state = tulip_archive::MemoryStateStore::new();
    let builder = bench.exporter().name("latest.csv".parse().unwrap());
    let exporter = builder
        .state(Arc::new(state.clone()))
        .build()
        .await
        .unwrap();
    let machine = Source::machine(bench.emulator.machine_ids()[0].clone());
    // No file can be renamed onto a folder.
    let key = ObjectKey::new("latest.csv").unwrap();
    let receipt = bench.folder.path().join(key.receipt().as_str());
    std::fs::create_dir(&receipt).unwrap();
    let error = exporter.export(machine.clone()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("its receipt could not be written"),
        "{error}"
    );
    std::fs::remove_dir(&receipt).unwrap();
    let outcome = exporter.export(machine).await.unwrap();
    assert!(matches!(outcome, Outcome::Exported { .. }), "{outcome:?}");
    let written = Receipt::from_json(&std::fs::read(&receipt).unwrap()).unwrap();
    assert_eq!(outcome.receipt(), Some(&written));
    let requests = bench.emulator.requests();
    assert_eq!(requests.count(Endpoint::Asset), 1);
    assert_eq!(requests.count(Endpoint::Start), 1);
    assert_eq!(state.list().await.unwrap(), []);
}
