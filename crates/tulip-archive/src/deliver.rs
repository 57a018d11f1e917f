//! An export from its first byte to its receipt.

use std::time::Duration;

use tracing::warn;
use tulip_core::sink::{
    Metadata, OpenOptions, Sink, SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode,
};
use tulip_core::{JobId, ObjectKey, Receipt, ReceiptObject, Timestamp, Tool};
use tulip_http::{Download, Piece};

use crate::export::{Outcome, Run, Shutdown, cancelled};
use crate::exporter::IfExists;
use crate::inspect::{Inspection, Inspector};
use crate::prepare::Ready;
use crate::{Event, ExportError, ExportErrorKind, FinalLineBreak};

impl Run {
    /// From the first byte to the receipt.
    pub(crate) async fn deliver(
        &mut self,
        ready: Ready,
        mut shutdown: Shutdown,
    ) -> Result<Outcome, ExportError> {
        let Ready {
            job,
            key,
            mut download,
        } = ready;
        let sink = self.exporter.shared.sink.clone();
        let location = sink.location(&key);
        let (mut writer, inspection) = loop {
            let length = download.length();
            self.check_size(length.unwrap_or_default())?;
            (self.observer)(Event::Downloading { key: &key, length });
            let options = OpenOptions::default()
                .with_content_type("text/csv")
                .with_size_hint(length)
                .with_metadata(self.metadata(&job));
            let mut writer = match self.open(&key, options, &mut shutdown).await? {
                Ok(writer) => writer,
                Err(error) if error.is_already_exists() && self.skips() => {
                    return Ok(self.skipped(sink.as_ref(), key, location).await);
                }
                Err(error) => {
                    return Err(ExportError::sink("the object could not be begun", error));
                }
            };
            let transferred = tokio::select! {
                biased;
                () = &mut shutdown => Err(cancelled()),
                result = self.transfer(&mut download, writer.as_mut()) => result,
            };
            match transferred {
                Ok(Transferred::Whole(inspection)) => break (writer, inspection),
                Ok(Transferred::Void) => abort(writer, &location).await,
                Err(error) => {
                    abort(writer, &location).await;
                    return Err(error);
                }
            }
        };
        (self.observer)(Event::Committing);
        writer.annotate(&Metadata::from([(
            "tulip-checksum".to_owned(),
            inspection.checksum.to_string(),
        )]));
        let stored = match writer.close().await {
            Ok(stored) => stored,
            Err(error) if error.is_already_exists() && self.skips() => {
                return Ok(self.skipped(sink.as_ref(), key, location).await);
            }
            Err(error) => return Err(ExportError::sink("the object could not be stored", error)),
        };
        if stored.bytes != inspection.bytes {
            let (kept, sent) = (stored.bytes, inspection.bytes);
            let what = format!(
                "{location} holds {kept} bytes by the sink's own account, {sent} were handed to it"
            );
            return Err(ExportError::new(ExportErrorKind::Sink, what));
        }
        if let Some(kept) = &stored.checksum
            && inspection.agrees_with(kept) == Some(false)
        {
            let what = format!(
                "{location} holds other bytes than were sent: the store computed {kept}; \
                 do not use it, export it again"
            );
            return Err(ExportError::new(ExportErrorKind::Sink, what).retryable(true));
        }
        let receipt = self.receipt(job, key, stored, *inspection, &download);
        let metadata = self.metadata(&receipt.job);
        store_receipt(sink.as_ref(), &receipt, metadata, &location).await?;
        (self.observer)(Event::Exported { receipt: &receipt });
        Ok(Outcome::Exported {
            receipt: Box::new(receipt),
            location,
        })
    }

    /// What is kept beside the object.
    fn metadata(&self, job: &JobId) -> Metadata {
        let mut metadata = Metadata::from([("tulip-job".to_owned(), job.to_string())]);
        if let Some(machine) = &self.source.machine {
            metadata.insert("tulip-machine".to_owned(), machine.to_string());
        }
        metadata
    }

    /// Somebody else has stored the object since it was looked for.
    async fn skipped(&mut self, sink: &dyn Sink, key: ObjectKey, location: String) -> Outcome {
        (self.observer)(Event::Skipped { key: &key });
        Outcome::Skipped {
            has_receipt: matches!(sink.lookup(&key.receipt()).await, Ok(Some(_))),
            key,
            location,
        }
    }

    fn skips(&self) -> bool {
        self.exporter.shared.if_exists == IfExists::Skip
    }

    fn check_size(&self, bytes: u64) -> Result<(), ExportError> {
        match self.exporter.shared.max_bytes {
            Some(most) if bytes > most => {
                let what = format!(
                    "the archive has more than the {most} bytes that are allowed; nothing was stored (raise --max-bytes if it is as large as it should be)"
                );
                Err(ExportError::new(ExportErrorKind::TooLarge, what))
            }
            _ => Ok(()),
        }
    }

    /// Begins the object. One that the export no longer wants is aborted.
    async fn open(
        &mut self,
        key: &ObjectKey,
        options: OpenOptions,
        shutdown: &mut Shutdown,
    ) -> Result<Result<Box<dyn SinkWriter>, SinkError>, ExportError> {
        let shared = &self.exporter.shared;
        let sink = shared.sink.as_ref();
        let mut opening = std::pin::pin!(open(sink, shared.if_exists, key, options));
        tokio::select! {
            biased;
            () = shutdown => {
                // What it has begun there it must be able to take back.
                if let Ok(Ok(writer)) = tokio::time::timeout(GRACE, opening).await {
                    abort(writer, &sink.location(key)).await;
                }
                Err(cancelled())
            }
            opened = &mut opening => Ok(opened),
        }
    }

    /// Moves every byte from the host to the sink, and tells what they were.
    async fn transfer(
        &mut self,
        download: &mut Download,
        writer: &mut dyn SinkWriter,
    ) -> Result<Transferred, ExportError> {
        let shared = self.exporter.shared.clone();
        let incomplete =
            |what: String| ExportError::new(ExportErrorKind::Incomplete, what).retryable(true);
        // Only an announced length shows that nothing is missing behind the last record.
        let rule = match download.length() {
            Some(_) => shared.final_line_break,
            None => FinalLineBreak::Required,
        };
        let mut inspector = Inspector::new(shared.algorithm, rule);
        while let Some(piece) = download.next().await.map_err(ExportError::download)? {
            let Piece::Bytes(chunk) = piece else {
                return Ok(Transferred::Void);
            };
            self.check_size(inspector.bytes() + chunk.len() as u64)?;
            inspector
                .update(&chunk)
                .map_err(|error| incomplete(error.to_string()))?;
            let written = writer.write(chunk).await;
            written.map_err(|error| ExportError::sink("the object could not be written", error))?;
            (self.observer)(Event::Progress {
                bytes: inspector.bytes(),
                records: inspector.records(),
            });
        }
        if let Some(length) = download.length().filter(|len| *len != inspector.bytes()) {
            let bytes = inspector.bytes();
            let what = format!("{bytes} bytes arrived of {length} announced");
            return Err(incomplete(what));
        }
        let inspection = inspector.finish();
        let inspection = inspection.map_err(|error| incomplete(error.to_string()))?;
        Ok(Transferred::Whole(Box::new(inspection)))
    }

    fn receipt(
        &self,
        job: JobId,
        key: ObjectKey,
        stored: StoredObject,
        inspection: Inspection,
        download: &Download,
    ) -> Receipt {
        let scheme = self.exporter.shared.sink.scheme();
        Receipt {
            job,
            machine: self.source.machine.clone(),
            object: ReceiptObject::new(key, scheme).with_etag(stored.etag),
            bytes: inspection.bytes,
            records: inspection.framing.records,
            columns: inspection.framing.columns,
            checksum: inspection.checksum,
            source_etag: download.etag().map(str::to_owned),
            started: self.began,
            finished: Timestamp::now(),
            attempts: download.attempts(),
            tool: Tool::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        }
    }
}

/// What came of moving the bytes.
enum Transferred {
    /// All of them are in the sink.
    Whole(Box<Inspection>),
    /// What was written is of no use: the download has started over.
    Void,
}

/// How long a sink that is opening an object may go on once the export is to end.
const GRACE: Duration = Duration::from_secs(5);

async fn abort(writer: Box<dyn SinkWriter>, location: &str) {
    if let Err(left) = writer.abort().await {
        warn!(%location, error = %left, "what was staged could not be removed");
    }
}

/// Begins the object. Where it must not be replaced and the sink cannot promise that by
/// itself, the look before is all that can be had.
async fn open(
    sink: &dyn Sink,
    if_exists: IfExists,
    key: &ObjectKey,
    options: OpenOptions,
) -> Result<Box<dyn SinkWriter>, SinkError> {
    let keeps = if_exists != IfExists::Overwrite;
    if keeps && sink.capabilities().atomic_create {
        let create = options.clone().with_mode(WriteMode::Create);
        match sink.open(key, &create).await {
            // Some sinks learn only now that their store does not keep such a promise.
            Err(error) if error.kind() == SinkErrorKind::Unsupported => {}
            opened => return opened,
        }
    }
    sink.open(key, &options).await
}

/// Writes the receipt beside the object, last: where it lies, the object is whole.
async fn store_receipt(
    sink: &dyn Sink,
    receipt: &Receipt,
    mut metadata: Metadata,
    location: &str,
) -> Result<(), ExportError> {
    let what = || format!("{location} is stored and whole, but its receipt is not");
    let json = receipt
        .to_json()
        .map_err(|error| ExportError::new(ExportErrorKind::Sink, what()).with_cause(error))?;
    let failed = |error| ExportError::sink(what(), error);
    metadata.insert("tulip-checksum".to_owned(), receipt.checksum.to_string());
    let options = OpenOptions::default()
        .with_content_type("application/json")
        .with_size_hint(Some(json.len() as u64))
        .with_metadata(metadata);
    let key = receipt.object.key.receipt();
    let mut writer = sink.open(&key, &options).await.map_err(failed)?;
    match writer.write(json.into()).await {
        Ok(()) => writer.close().await.map(|_| ()).map_err(failed),
        Err(error) => {
            if let Err(left) = writer.abort().await {
                warn!(%key, error = %left, "what was staged could not be removed");
            }
            Err(failed(error))
        }
    }
}
