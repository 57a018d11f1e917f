//! An export from its first byte to its receipt.

use tracing::warn;
use tulip_core::sink::{
    Metadata, OpenOptions, Sink, SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode,
};
use tulip_core::{JobId, ObjectKey, Receipt, ReceiptObject, Timestamp, Tool};
use tulip_http::{Download, Piece};

use crate::export::{GRACE, Outcome, Run, Shutdown, cancelled};
use crate::exporter::IfExists;
use crate::inspect::{Inspection, Inspector};
use crate::partial::Partial;
use crate::prepare::Ready;
use crate::{Advice, Event, ExportError, ExportErrorKind, FinalLineBreak};

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
            mut partial,
        } = ready;
        let sink = self.exporter.shared.sink.clone();
        let location = sink.location(&key);
        let (mut writer, inspection) = loop {
            let length = download.length();
            self.check_size(length.unwrap_or_default())?;
            let (mut writer, mut inspector) = match partial.take() {
                Some(Partial {
                    writer, inspector, ..
                }) => {
                    let bytes = inspector.bytes();
                    (self.observer)(Event::Resuming {
                        key: &key,
                        bytes,
                        length,
                    });
                    (writer, inspector)
                }
                None => {
                    (self.observer)(Event::Downloading { key: &key, length });
                    self.begin_object(&key).await;
                    let options = self.open_options(&job, length);
                    match self.open(&key, options, &mut shutdown).await? {
                        Ok(writer) => (writer, self.inspector(length)),
                        Err(error) if error.is_already_exists() && self.skips() => {
                            return Ok(self.skipped(sink.as_ref(), key, location).await);
                        }
                        Err(error) => {
                            return Err(ExportError::sink("the object could not be begun", error));
                        }
                    }
                }
            };
            self.trace(writer.as_mut()).await;
            let transferred = tokio::select! {
                biased;
                () = &mut shutdown => Err(cancelled()),
                result = self.transfer(&mut download, writer.as_mut(), &mut inspector) => result,
            };
            match transferred {
                Ok(Transferred::Whole) => match inspector.finish() {
                    Ok(inspection) => break (writer, inspection),
                    Err(error) => {
                        self.give_up(writer).await;
                        return Err(incomplete(error.to_string()));
                    }
                },
                Ok(Transferred::Void) => self.give_up(writer).await,
                Err(error) => {
                    self.leave(writer, &inspector, &download, &error).await;
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
            return Err(ExportError::new(ExportErrorKind::Store, what));
        }
        if let Some(kept) = &stored.checksum
            && inspection.agrees_with(kept) == Some(false)
        {
            let what = format!(
                "{location} holds other bytes than were sent: the store computed {kept}; \
                 do not use it, export it again"
            );
            return Err(ExportError::new(ExportErrorKind::StoreUnavailable, what));
        }
        let receipt = self.receipt(job, key, stored, inspection, &download);
        let metadata = self.metadata(&receipt.job);
        self.store_receipt(&receipt, metadata, &location).await?;
        (self.observer)(Event::Exported { receipt: &receipt });
        Ok(Outcome::Exported {
            receipt: Box::new(receipt),
            location,
        })
    }

    /// How the object is to be written.
    pub(crate) fn open_options(&self, job: &JobId, length: Option<u64>) -> OpenOptions {
        let shared = &self.exporter.shared;
        let creates =
            shared.if_exists != IfExists::Overwrite && shared.sink.capabilities().atomic_create;
        OpenOptions::default()
            .with_mode(match creates {
                true => WriteMode::Create,
                false => WriteMode::Overwrite,
            })
            .with_content_type("text/csv")
            .with_size_hint(length)
            .with_metadata(self.metadata(job))
    }

    /// An inspector of the bytes to come. Only an announced length shows that nothing is missing
    /// behind the last record.
    pub(crate) fn inspector(&self, length: Option<u64>) -> Inspector {
        let shared = &self.exporter.shared;
        let rule = match length {
            Some(_) => shared.final_line_break,
            None => FinalLineBreak::Required,
        };
        Inspector::new(shared.algorithm, rule)
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
                    "the archive has more than the {most} bytes that are allowed; nothing was stored"
                );
                let error = ExportError::new(ExportErrorKind::TooLarge, what);
                Err(error.with_advice(Advice::RaiseMaxBytes))
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
        let mut opening = std::pin::pin!(open(sink, key, options));
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

    /// Moves every byte from the host to the sink.
    async fn transfer(
        &mut self,
        download: &mut Download,
        writer: &mut dyn SinkWriter,
        inspector: &mut Inspector,
    ) -> Result<Transferred, ExportError> {
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
            self.trace(writer).await;
            if self.is_checkpoint_due(inspector.bytes()) {
                self.checkpoint(writer, inspector, download).await?;
            }
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
        Ok(Transferred::Whole)
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
    Whole,
    /// What was written is of no use: the download has started over.
    Void,
}

async fn abort(writer: Box<dyn SinkWriter>, location: &str) {
    if let Err(left) = writer.abort().await {
        warn!(%location, error = %left, "what was staged could not be removed");
    }
}

/// Begins the object. Where it must not be replaced and the sink cannot promise that by
/// itself, the look before is all that can be had.
async fn open(
    sink: &dyn Sink,
    key: &ObjectKey,
    options: OpenOptions,
) -> Result<Box<dyn SinkWriter>, SinkError> {
    match sink.open(key, &options).await {
        // Some sinks learn only now that their store does not keep such a promise.
        Err(error)
            if error.kind() == SinkErrorKind::Unsupported && options.mode == WriteMode::Create =>
        {
            let options = options.with_mode(WriteMode::Overwrite);
            sink.open(key, &options).await
        }
        opened => opened,
    }
}

fn incomplete(what: String) -> ExportError {
    ExportError::new(ExportErrorKind::Incomplete, what)
}
