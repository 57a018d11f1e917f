//! The suite, run against a sink that keeps the contract and sinks that each break it in one way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::ObjectKey;
use crate::sink::{
    Capabilities, Listed, OpenOptions, Probe, Resumed, Sink, SinkError, SinkErrorKind, SinkLister,
    SinkReader, SinkWriter, StaleUpload, StoredObject, WriteMode,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    VisibleAtOnce,
    StagesAtOpen,
    StagesBeforeClose,
    TruncatesAtOpen,
    AbortCommits,
    AbortLeaves,
    DropCommits,
    LosesSmallChunks,
    SwapsChunks,
    DecodesKeys,
    NoEmptyObjects,
    SharesBuffers,
    ReplacesOnCreate,
    ForgetsFailure,
    ForgetsDroppedWrite,
    MiscountsBytes,
    FindsNothing,
    FindsAnotherTag,
    ClosedForProbe,
    ReadsAnotherObject,
    ListsUnfinished,
    KeepsOtherBytes,
    ForgetsToKeep,
    DiscardsNothing,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    staged: Vec<String>,
    shared: Bytes,
    /// The bytes that checkpoints kept, by token.
    kept: BTreeMap<String, Vec<u8>>,
    writers: usize,
}

/// The size of chunks above which a write waits, so that it can be dropped.
const WAITS_ABOVE: usize = 4 * 1024 * 1024;

/// Chunks or keys, one at a time.
struct Several<T>(std::vec::IntoIter<T>);

#[async_trait]
impl SinkReader for Several<Bytes> {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        Ok(self.0.next())
    }
}

#[async_trait]
impl SinkLister for Several<ObjectKey> {
    async fn next(&mut self) -> Result<Option<Listed>, SinkError> {
        Ok(self.0.next().map(Listed::Key))
    }
}

fn reader(bytes: Vec<u8>) -> Box<dyn SinkReader> {
    let chunks = bytes.chunks(1_000_003).map(Bytes::copy_from_slice);
    Box::new(Several(chunks.collect::<Vec<_>>().into_iter()))
}

#[derive(Debug, Clone)]
struct Memory {
    fault: Fault,
    /// Whether writes fail.
    broken: bool,
    state: Arc<Mutex<State>>,
}

struct Writer {
    sink: Memory,
    key: String,
    mode: WriteMode,
    bytes: Vec<u8>,
    failed: bool,
    token: String,
}

impl Memory {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap())
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
        Capabilities::NONE
            .with_lookup()
            .with_atomic_create()
            .with_read()
            .with_resume()
    }

    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        match self.is(Fault::ClosedForProbe) {
            true => Err(SinkError::new(SinkErrorKind::PermissionDenied, "closed")),
            false => Ok(Probe::checked(self.capabilities())),
        }
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        let found = self.with(|state| state.objects.get(key.as_str()).map(Vec::len));
        let found = found.filter(|_| !self.is(Fault::FindsNothing));
        let etag = match self.is(Fault::FindsAnotherTag) {
            true => "\"2\"",
            false => "\"1\"",
        };
        Ok(found.map(|bytes| StoredObject::new(bytes as u64).with_etag(Some(etag.to_owned()))))
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let key = match self.is(Fault::DecodesKeys) {
            true => key.as_str().replace("%20", " "),
            false => key.to_string(),
        };
        let token = self.with(|state| {
            if self.is(Fault::TruncatesAtOpen) && state.objects.contains_key(&key) {
                state.objects.insert(key.clone(), Vec::new());
            }
            if self.is(Fault::AbortLeaves) || self.is(Fault::StagesAtOpen) {
                state.staged.push(key.clone());
            }
            state.writers += 1;
            format!("writer {}", state.writers)
        });
        Ok(Box::new(Writer {
            sink: self.clone(),
            key,
            mode: options.mode,
            bytes: Vec::new(),
            failed: false,
            token,
        }))
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let found = self.with(|state| match self.is(Fault::ReadsAnotherObject) {
            true => state.objects.values().next().cloned(),
            false => state.objects.get(key.as_str()).cloned(),
        });
        Ok(found.map(reader))
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        let mut keys: Vec<_> = self.with(|state| {
            let keys = state.objects.keys().map(|key| ObjectKey::new(key).unwrap());
            keys.collect()
        });
        if self.is(Fault::ListsUnfinished) {
            let read = keys
                .iter()
                .find_map(|key| key.as_str().split_once("/read/"));
            let (run, _) = read.unwrap();
            keys.push(ObjectKey::new(&format!("{run}/read/missing.csv")).unwrap());
        }
        Ok(Box::new(Several(keys.into_iter())))
    }

    async fn resume(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        left: &StaleUpload,
        bytes: u64,
    ) -> Result<Option<Resumed>, SinkError> {
        let token = left.resume_token.clone().unwrap_or_default();
        let Some(mut kept) = self.with(|state| state.kept.get(&token).cloned()) else {
            return Ok(None);
        };
        let bytes = usize::try_from(bytes).unwrap();
        if kept.len() < bytes {
            return Ok(None);
        }
        kept.truncate(bytes);
        if self.is(Fault::KeepsOtherBytes) {
            kept[0] ^= 1;
        }
        Ok(Some(Resumed {
            kept: reader(kept.clone()),
            writer: Box::new(Writer {
                sink: self.clone(),
                key: key.to_string(),
                mode: options.mode,
                bytes: kept,
                failed: false,
                token,
            }),
        }))
    }

    async fn discard(&self, _: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        if let Some(token) = left
            .resume_token
            .as_ref()
            .filter(|_| !self.is(Fault::DiscardsNothing))
        {
            self.with(|state| state.kept.remove(token));
        }
        Ok(())
    }
}

impl Writer {
    fn commit(&mut self) -> Result<StoredObject, SinkError> {
        let bytes = std::mem::take(&mut self.bytes);
        let stored =
            (bytes.len() as u64).saturating_sub(u64::from(self.sink.is(Fault::MiscountsBytes)));
        self.sink.with(|state| {
            let there = state.objects.contains_key(&self.key);
            if there && self.mode == WriteMode::Create && !self.sink.is(Fault::ReplacesOnCreate) {
                return Err(SinkError::new(SinkErrorKind::AlreadyExists, "there"));
            }
            if !(bytes.is_empty() && self.sink.is(Fault::NoEmptyObjects)) {
                state.objects.insert(self.key.clone(), bytes);
            }
            state.staged.retain(|staged| *staged != self.key);
            state.kept.remove(&self.token);
            Ok(StoredObject::new(stored))
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.sink.is(Fault::DropCommits) && !self.bytes.is_empty() {
            let _ = self.commit();
        }
    }
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), SinkError> {
        if self.sink.broken && (!self.failed || !self.sink.is(Fault::ForgetsFailure)) {
            self.failed = true;
            return Err(SinkError::new(SinkErrorKind::StorageFull, "full"));
        }
        if self.failed && !self.sink.broken {
            return Err(SinkError::new(SinkErrorKind::Other, "a write was dropped"));
        }
        if chunk.len() > WAITS_ABOVE {
            self.failed = !self.sink.is(Fault::ForgetsDroppedWrite);
            tokio::task::yield_now().await;
            self.failed = false;
        }
        if self.sink.is(Fault::LosesSmallChunks) && chunk.len() == 1 {
            return Ok(());
        }
        if self.sink.is(Fault::SharesBuffers) {
            // The chunk that the previous write left there.
            self.sink
                .with(|state| std::mem::swap(&mut state.shared, &mut chunk));
        }
        match self.sink.is(Fault::SwapsChunks) && chunk.len() == 97 {
            true => self
                .bytes
                .splice(0..0, chunk.iter().copied())
                .for_each(drop),
            false => self.bytes.extend_from_slice(&chunk),
        }
        if self.sink.is(Fault::StagesBeforeClose) {
            self.sink.with(|state| state.staged.push(self.key.clone()));
        }
        if self.sink.is(Fault::VisibleAtOnce) {
            let (key, bytes) = (self.key.clone(), self.bytes.clone());
            self.sink.with(|state| state.objects.insert(key, bytes));
        }
        Ok(())
    }

    fn resume_token(&self) -> Option<String> {
        Some(self.token.clone())
    }

    fn stages_on_close(&self) -> bool {
        self.sink.is(Fault::StagesBeforeClose)
    }

    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        let (token, bytes) = (self.token.clone(), self.bytes.clone());
        if !self.sink.is(Fault::ForgetsToKeep) {
            self.sink.with(|state| state.kept.insert(token, bytes));
        }
        Ok(Some(self.bytes.len() as u64))
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed && !self.sink.is(Fault::ForgetsFailure) {
            return Err(SinkError::new(SinkErrorKind::Other, "given up"));
        }
        let stored = self.commit()?;
        Ok(stored.with_etag(Some("\"1\"".to_owned())))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        if self.sink.is(Fault::AbortCommits) {
            self.commit()?;
        }
        self.bytes.clear();
        self.sink.with(|state| state.kept.remove(&self.token));
        Ok(())
    }
}

struct Bench(Memory);

#[async_trait]
impl Fixture for Bench {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.0.clone())
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self
            .0
            .with(|state| state.objects.get(key.as_str()).cloned()))
    }

    async fn leftovers(&self) -> Result<Vec<String>, Failure> {
        Ok(self.0.with(|state| {
            let kept = state.kept.keys().cloned();
            state.staged.iter().cloned().chain(kept).collect()
        }))
    }

    async fn failing(&self, _: &ObjectKey) -> Option<Arc<dyn Sink>> {
        let broken = true;
        Some(Arc::new(Memory {
            broken,
            ..self.0.clone()
        }))
    }
}

async fn report(fault: Fault) -> Report {
    let sink = Memory {
        fault,
        broken: false,
        state: Arc::default(),
    };
    run(&Bench(sink)).await
}

#[tokio::test]
async fn a_sink_that_keeps_the_contract_passes_every_case() {
    let report = report(Fault::None).await;
    report.assert_passed();
    assert_eq!(report.cases().len(), 19);
    let all = report.cases().iter();
    assert!(
        all.clone().all(|case| case.result == CaseResult::Passed),
        "{report}"
    );
    assert_eq!(report.to_string().lines().count(), 19);
}

#[tokio::test]
async fn each_breach_is_found_by_the_case_that_names_it() {
    for (fault, case) in [
        (Fault::VisibleAtOnce, "nothing is visible before close"),
        (
            Fault::StagesAtOpen,
            "nothing is staged before the first write",
        ),
        (
            Fault::StagesBeforeClose,
            "nothing is staged before the first write",
        ),
        (
            Fault::TruncatesAtOpen,
            "an overwritten object is intact until close",
        ),
        (Fault::AbortCommits, "an abort leaves nothing"),
        (Fault::AbortLeaves, "an abort leaves nothing"),
        (
            Fault::DropCommits,
            "a dropped writer leaves nothing visible",
        ),
        (
            Fault::LosesSmallChunks,
            "chunks of any size arrive in order",
        ),
        (Fault::SwapsChunks, "many small chunks arrive in order"),
        (Fault::DecodesKeys, "keys are kept as they are"),
        (Fault::NoEmptyObjects, "an empty object is an object"),
        (Fault::SharesBuffers, "concurrent writers do not mix"),
        (
            Fault::ReplacesOnCreate,
            "an object that is there is kept if asked",
        ),
        (
            Fault::ForgetsFailure,
            "an error after a failed write stays an error",
        ),
        (
            Fault::ForgetsDroppedWrite,
            "a write that is dropped counts as failed",
        ),
        (Fault::MiscountsBytes, "chunks of any size arrive in order"),
        (Fault::FindsNothing, "a lookup finds what is there"),
        (Fault::FindsAnotherTag, "a lookup finds what is there"),
        (Fault::ClosedForProbe, "a probe succeeds"),
        (
            Fault::ReadsAnotherObject,
            "what is stored can be read and is listed",
        ),
        (
            Fault::ListsUnfinished,
            "what is stored can be read and is listed",
        ),
        (
            Fault::KeepsOtherBytes,
            "what a writer has left can be resumed",
        ),
        (
            Fault::ForgetsToKeep,
            "what a writer has left can be resumed",
        ),
        (
            Fault::DiscardsNothing,
            "what a writer has left can be discarded",
        ),
    ] {
        let report = report(fault).await;
        assert!(!report.passed(), "{fault:?}");
        let found = report.cases().iter().find(|found| found.name == case);
        let result = &found.unwrap().result;
        assert!(
            matches!(result, CaseResult::Failed(_)),
            "{fault:?}:\n{report}"
        );
    }
}

#[test]
#[should_panic(expected = "FAILED   a probe succeeds: closed")]
fn a_report_says_what_failed() {
    let mut report = Report::default();
    report.add("a probe succeeds", Err("closed".into()));
    report.assert_passed();
}
