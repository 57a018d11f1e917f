//! The beginning of an object that outlasts the run that has written it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use tulip_core::sink::{Leftover, OpenOptions, SinkReader, SinkWriter};
use tulip_core::{ObjectKey, Timestamp};
use tulip_http::{Download, Position};

use crate::export::Run;
use crate::inspect::Inspector;
use crate::state::{Begun, Kept};
use crate::{ExportError, ExportErrorKind};

/// So many bytes are written between two checkpoints, and so much time passes. One costs a line in
/// a small file and a moment in which nothing is written; what a killed run had written behind its last one is
/// downloaded again.
const CHECKPOINT_EVERY: u64 = 32 * 1024 * 1024;
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(500);

/// What an earlier run has written, checked, and a writer behind it.
pub(crate) struct Partial {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) inspector: Inspector,
    pub(crate) position: Position,
}

impl Run {
    /// Takes up what an earlier run has left of the object, if it is still what it was.
    pub(crate) async fn take_up(
        &mut self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Option<Partial> {
        let shared = self.exporter.shared.clone();
        let object = self.entry.as_ref()?.record.object.clone()?;
        let kept = object.kept.filter(|_| object.key == *key)?;
        if !shared.sink.capabilities().resume {
            return None;
        }
        let resumed = shared.sink.resume(key, options, &object.left, kept.bytes);
        let mut resumed = match resumed.await {
            Ok(resumed) => resumed?,
            Err(error) => {
                warn!(%key, %error, "what an earlier run has left cannot be gone on with");
                return None;
            }
        };
        let inspector = self.inspector(kept.length);
        match reread(resumed.kept.as_mut(), inspector, &kept).await {
            Ok(inspector) => {
                info!(%key, bytes = kept.bytes, "going on with what an earlier run has written");
                Some(Partial {
                    writer: resumed.writer,
                    inspector,
                    position: kept.position(),
                })
            }
            Err(why) => {
                warn!(%key, why, "what an earlier run has left is not used");
                None
            }
        }
    }

    /// Remembers that an object is about to be begun.
    pub(crate) async fn begin_object(&mut self, key: &ObjectKey) {
        self.forget_object().await;
        if let Some(entry) = &mut self.entry {
            entry.record.object = Some(Begun {
                key: key.clone(),
                left: Leftover::new(Timestamp::now()),
                kept: None,
            });
            self.save(false).await;
        }
    }

    /// Remembers by what the object is found again, once its writer tells.
    pub(crate) async fn trace(&mut self, writer: &mut dyn SinkWriter) {
        let object = self
            .entry
            .as_mut()
            .and_then(|entry| entry.record.object.as_mut());
        let Some(object) = object.filter(|object| object.left.trace.is_none()) else {
            return;
        };
        if let Some(trace) = writer.trace() {
            object.left.trace = Some(trace);
            self.save(false).await;
        }
    }

    /// Remembers that the object is stored, and by what its receipt is found while it is written.
    pub(crate) async fn receipt_begun(&mut self, key: &ObjectKey, trace: Option<String>) {
        let Some(entry) = &mut self.entry else {
            return;
        };
        entry.record.object = None;
        if trace.is_some() {
            entry.record.receipt = Some(Begun {
                key: key.clone(),
                left: Leftover::new(Timestamp::now()).with_trace(trace),
                kept: None,
            });
            self.save(false).await;
        }
    }

    /// Nothing is left of the receipt any more.
    pub(crate) fn receipt_done(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.record.receipt = None;
        }
    }

    /// Whether it is time for another checkpoint.
    pub(crate) fn is_checkpoint_due(&self, bytes: u64) -> bool {
        let object = self
            .entry
            .as_ref()
            .and_then(|entry| entry.record.object.as_ref());
        let Some(object) = object else {
            return false;
        };
        let kept = object.kept.as_ref().map_or(0, |kept| kept.bytes);
        bytes >= kept.saturating_add(CHECKPOINT_EVERY)
            && self
                .checkpointed
                .is_none_or(|last| last.elapsed() >= CHECKPOINT_PAUSE)
            && self.exporter.shared.sink.capabilities().resume
    }

    /// Has the sink keep what was written, and remembers what that is. Tells whether it did.
    pub(crate) async fn checkpoint(
        &mut self,
        writer: &mut dyn SinkWriter,
        inspector: &Inspector,
        download: &Download,
    ) -> Result<bool, ExportError> {
        let (Some(position), Ok(checksum)) = (download.position(), inspector.crc()) else {
            return Ok(false);
        };
        let kept = writer.checkpoint().await;
        self.checkpointed = Some(Instant::now());
        let kept =
            kept.map_err(|error| ExportError::sink("the object could not be written", error))?;
        let object = self
            .entry
            .as_mut()
            .and_then(|entry| entry.record.object.as_mut());
        match (kept, object) {
            (Some(bytes), Some(object)) if bytes == inspector.bytes() => {
                object.kept = Some(Kept {
                    bytes,
                    checksum,
                    etag: position.etag,
                    length: position.length,
                });
                Ok(self.save(false).await)
            }
            _ => Ok(false),
        }
    }

    /// Leaves what was written for the next run, or removes it, as `error` wants it.
    pub(crate) async fn leave(
        &mut self,
        mut writer: Box<dyn SinkWriter>,
        inspector: &Inspector,
        download: &Download,
        error: &ExportError,
    ) {
        let is_fine = matches!(
            error.kind(),
            ExportErrorKind::Interrupted
                | ExportErrorKind::Download
                | ExportErrorKind::Api
                | ExportErrorKind::PermissionDenied
        );
        if is_fine && self.entry.is_some() && self.exporter.shared.sink.capabilities().resume {
            // A write that was cut short leaves what the last checkpoint has kept.
            let kept = self.checkpoint(writer.as_mut(), inspector, download).await;
            if self.keeps_something() || matches!(kept, Ok(true)) {
                return;
            }
        }
        self.give_up(writer).await;
    }

    /// Whether another run would find something.
    fn keeps_something(&self) -> bool {
        let entry = self.entry.as_ref().filter(|entry| entry.is_written);
        let object = entry.and_then(|entry| entry.record.object.as_ref());
        object.is_some_and(|object| object.kept.is_some())
    }

    /// Removes what was written.
    pub(crate) async fn give_up(&mut self, writer: Box<dyn SinkWriter>) {
        if let Err(left) = writer.abort().await {
            // Another run finds it by its trace.
            warn!(error = %left, "what was staged could not be removed");
            return;
        }
        if let Some(entry) = &mut self.entry {
            entry.record.object = None;
            self.save(false).await;
        }
    }
}

/// Feeds what is kept to an inspector, which then stands where the one of the earlier run stood.
async fn reread(
    reader: &mut dyn SinkReader,
    mut inspector: Inspector,
    kept: &Kept,
) -> Result<Inspector, &'static str> {
    while let Ok(chunk) = reader.next().await {
        let Some(chunk) = chunk else {
            let same = inspector.bytes() == kept.bytes
                && inspector.crc().is_ok_and(|crc| crc == kept.checksum);
            return same
                .then_some(inspector)
                .ok_or("it is not what was written");
        };
        if inspector.update(&chunk).is_err() {
            return Err("it is not what was written");
        }
    }
    Err("it cannot be read")
}
