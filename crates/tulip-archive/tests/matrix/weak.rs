//! A sink that fails as it is told to, around one that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tulip_core::sink::{
    Capabilities, Metadata, OpenOptions, Probe, Resumed, Sink, SinkError, SinkErrorKind,
    SinkLister, SinkReader, SinkWriter, StaleUpload, StoredObject, WriteMode, async_trait,
};
use tulip_core::{Checksum, ChecksumAlgorithm, ObjectKey, Timestamp};

/// The object or receipt whose writer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Object,
    Receipt,
}

/// Where and how a sink fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weakness {
    Probe(SinkErrorKind),
    /// The n-th attempt to open it fails, counted from 1.
    Open(Of, usize, SinkErrorKind),
    /// Its n-th chunk is refused.
    Write(Of, usize, SinkErrorKind),
    /// The chunk that would bring the object to this many bytes is refused.
    WriteBehind(u64, SinkErrorKind),
    /// Every write yields to other tasks this many times.
    Yields(usize),
    /// The n-th write takes this long.
    Pauses(usize, Duration),
    /// It is not stored, and nothing of it remains.
    Close(Of, SinkErrorKind),
    /// It is stored, but the answer is lost.
    AnswerLost(Of, SinkErrorKind),
    /// The abort succeeds but reports a failure.
    Abort,
    /// The sink reports this many fewer bytes than were written.
    Misses(u64),
    /// The sink reports a different checksum from ours.
    Garbled,
}

/// The chunks that a sink was given. If a cell hangs, they show how far it got.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) chunks: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
}

impl Taken {
    fn add(&self, chunk: &Bytes) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(chunk.len(), Ordering::Relaxed);
    }
}

/// A sink with a weakness, and how often that has shown.
#[derive(Debug)]
pub(crate) struct Weak {
    sink: Arc<dyn Sink>,
    weakness: Option<Weakness>,
    opened: AtomicUsize,
    shown: Arc<AtomicUsize>,
    taken: Arc<Taken>,
}

impl Weak {
    pub(crate) fn new(sink: Arc<dyn Sink>, weakness: Option<Weakness>, taken: Arc<Taken>) -> Self {
        Self {
            sink,
            weakness,
            opened: AtomicUsize::new(0),
            shown: Arc::default(),
            taken,
        }
    }

    /// How often it has failed or been slow, as it was told to.
    pub(crate) fn shown(&self) -> usize {
        self.shown.load(Ordering::Relaxed)
    }
}

/// Counts a failure and returns its error.
fn fail(shown: &AtomicUsize, kind: SinkErrorKind, at: &str) -> SinkError {
    shown.fetch_add(1, Ordering::Relaxed);
    SinkError::new(kind, format!("the test's sink fails: {at}"))
}

#[async_trait]
impl Sink for Weak {
    fn scheme(&self) -> &str {
        self.sink.scheme()
    }

    fn location(&self, key: &ObjectKey) -> String {
        self.sink.location(key)
    }

    fn capabilities(&self) -> Capabilities {
        self.sink.capabilities()
    }

    async fn probe(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        match self.weakness {
            Some(Weakness::Probe(kind)) => Err(fail(&self.shown, kind, "probe")),
            _ => self.sink.probe(mode).await,
        }
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        self.sink.lookup(key).await
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        self.sink.read(key).await
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        self.sink.list().await
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let of = match key.is_receipt() {
            true => Of::Receipt,
            false => Of::Object,
        };
        if let Some(Weakness::Open(weak, nth, kind)) = self.weakness
            && weak == of
            && self.opened.fetch_add(1, Ordering::Relaxed) + 1 == nth
        {
            return Err(fail(&self.shown, kind, "open"));
        }
        Ok(Box::new(WeakWriter {
            writer: self.sink.open(key, options).await?,
            of,
            weakness: self.weakness,
            written: 0,
            bytes: 0,
            shown: self.shown.clone(),
            taken: self.taken.clone(),
        }))
    }

    async fn resume(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        left: &StaleUpload,
        bytes: u64,
    ) -> Result<Option<Resumed>, SinkError> {
        self.sink.resume(key, options, left, bytes).await
    }

    async fn discard(&self, key: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        self.sink.discard(key, left).await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        self.sink.sweep(before).await
    }
}

struct WeakWriter {
    writer: Box<dyn SinkWriter>,
    of: Of,
    weakness: Option<Weakness>,
    written: usize,
    bytes: u64,
    shown: Arc<AtomicUsize>,
    taken: Arc<Taken>,
}

#[async_trait]
impl SinkWriter for WeakWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.written += 1;
        self.bytes += chunk.len() as u64;
        self.taken.add(&chunk);
        match self.weakness {
            Some(Weakness::Write(of, nth, kind)) if of == self.of && nth == self.written => {
                return Err(fail(&self.shown, kind, "write"));
            }
            Some(Weakness::WriteBehind(bytes, kind))
                if self.of == Of::Object && self.bytes >= bytes =>
            {
                return Err(fail(&self.shown, kind, "write"));
            }
            Some(Weakness::Yields(times)) => {
                self.shown.fetch_add(1, Ordering::Relaxed);
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
            }
            Some(Weakness::Pauses(nth, pause)) if nth == self.written => {
                self.shown.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(pause).await;
            }
            _ => {}
        }
        self.writer.write(chunk).await
    }

    fn resume_token(&self) -> Option<String> {
        self.writer.resume_token()
    }

    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        self.writer.checkpoint().await
    }

    fn annotate(&mut self, metadata: &Metadata) {
        self.writer.annotate(metadata);
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        let object = self.of == Of::Object;
        match self.weakness {
            Some(Weakness::Close(of, kind)) if of == self.of => {
                self.writer.abort().await?;
                Err(fail(&self.shown, kind, "close"))
            }
            Some(Weakness::AnswerLost(of, kind)) if of == self.of => {
                self.writer.close().await?;
                Err(fail(&self.shown, kind, "the answer is lost"))
            }
            Some(Weakness::Misses(bytes)) if object => {
                let mut stored = self.writer.close().await?;
                stored.bytes -= bytes;
                self.shown.fetch_add(1, Ordering::Relaxed);
                Ok(stored)
            }
            Some(Weakness::Garbled) if object => {
                let stored = self.writer.close().await?;
                let checksum = Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &[7; 8]);
                self.shown.fetch_add(1, Ordering::Relaxed);
                Ok(stored.with_checksum(checksum.ok()))
            }
            _ => self.writer.close().await,
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        let aborted = self.writer.abort().await;
        match self.weakness {
            Some(Weakness::Abort) => Err(fail(&self.shown, SinkErrorKind::Other, "abort")),
            _ => aborted,
        }
    }
}
