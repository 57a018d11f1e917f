//! The object while it is written: the parts that are kept or removed.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use tulip_core::sink::{OpenOptions, Sink, SinkErrorKind, SinkReader, SinkWriter, StaleUpload};
use tulip_core::{ObjectKey, Timestamp};
use tulip_http::Checkpoint;

use super::Recovery;
use crate::inspect::Inspector;
use crate::setup::Setup;
use crate::state::{ClaimedRecord, StagedObject, StagedPart};
use crate::{ExportError, ExportErrorKind};

/// The bytes between two checkpoints, and the minimum time between them. A checkpoint costs a write
/// of the record and a short pause of the transfer; bytes that a killed run wrote after its last
/// one are downloaded again.
const CHECKPOINT_EVERY: u64 = 32 * 1024 * 1024;
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);

/// The verified part of an object from an earlier run, and a writer that continues it.
pub(crate) struct ResumedObject {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) inspector: Inspector,
    pub(crate) checkpoint: Checkpoint,
}

impl Recovery {
    /// Returns the part of the object that an earlier run has written, if it is unchanged.
    pub(crate) async fn resume_object(
        &mut self,
        setup: &Setup,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Option<ResumedObject> {
        let object = self.object()?.clone();
        let part = object.part.filter(|_| object.key == *key)?;
        if !self.sink_resumes {
            return None;
        }
        let resumed = setup.sink.resume(key, options, &object.left, part.bytes);
        let mut resumed = match resumed.await {
            Ok(resumed) => resumed?,
            Err(error) => {
                warn!(%key, %error, "cannot resume {key}, starting over: {error}");
                return None;
            }
        };
        match reread(resumed.kept.as_mut(), setup.inspector(part.length), &part).await {
            Ok(inspector) => {
                info!(%key, bytes = part.bytes, "resuming download");
                Some(ResumedObject {
                    writer: resumed.writer,
                    inspector,
                    checkpoint: part.checkpoint(),
                })
            }
            Err(why) => {
                warn!(%key, why, "cannot resume {key}, starting over: {why}");
                None
            }
        }
    }

    /// Records an opened object, of which nothing is staged yet. An object that is staged only on
    /// close is saved with the next [`Recovery::confirm`], which comes before that.
    pub(crate) async fn object_opened(
        &mut self,
        key: &ObjectKey,
        token: Option<String>,
        stages_on_close: bool,
    ) -> Result<(), ExportError> {
        let Some(claimed) = &mut self.claimed else {
            return Ok(());
        };
        claimed.record.object = Some(StagedObject {
            key: key.clone(),
            left: StaleUpload::new(Timestamp::now()).with_resume_token(token),
            part: None,
        });
        if stages_on_close {
            claimed.is_changed = true;
            return Ok(());
        }
        self.save(false).await.map(drop)
    }

    /// Saves the writer's resume token, if it had none when it was opened.
    pub(crate) async fn save_resume_token(
        &mut self,
        token: Option<String>,
    ) -> Result<(), ExportError> {
        match self.object_mut() {
            Some(object) if object.left.resume_token.is_none() && token.is_some() => {
                object.left.resume_token = token;
                self.save(false).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    fn object_mut(&mut self) -> Option<&mut StagedObject> {
        self.claimed.as_mut()?.record.object.as_mut()
    }

    fn object(&self) -> Option<&StagedObject> {
        self.claimed.as_ref()?.record.object.as_ref()
    }

    /// Whether it is time for another checkpoint.
    pub(crate) fn is_checkpoint_due(&self, bytes: u64) -> bool {
        let Some(object) = self.object().filter(|_| self.sink_resumes) else {
            return false;
        };
        let kept = object.part.as_ref().map_or(0, |part| part.bytes);
        bytes >= kept.saturating_add(CHECKPOINT_EVERY)
            && self
                .last_checkpoint
                .is_none_or(|last| last.elapsed() >= CHECKPOINT_INTERVAL)
    }

    /// Makes the sink keep the bytes written so far, and records them. Returns whether it did.
    pub(crate) async fn checkpoint(
        &mut self,
        writer: &mut dyn SinkWriter,
        inspector: &Inspector,
        checkpoint: Option<Checkpoint>,
    ) -> Result<bool, ExportError> {
        let (Some(checkpoint), Ok(checksum)) = (checkpoint, inspector.crc()) else {
            return Ok(false);
        };
        let kept = writer.checkpoint().await;
        self.last_checkpoint = Some(Instant::now());
        let kept = kept.map_err(|error| ExportError::sink("could not store archive", error))?;
        match (kept, self.object_mut()) {
            (Some(bytes), Some(object)) if bytes == inspector.bytes() => {
                object.part = Some(StagedPart {
                    bytes,
                    checksum,
                    etag: checkpoint.etag,
                    length: checkpoint.length,
                });
                self.save(false).await
            }
            _ => Ok(false),
        }
    }

    /// Keeps the written bytes for the next run, or removes them, depending on `error`.
    pub(crate) async fn leave(
        &mut self,
        mut writer: Box<dyn SinkWriter>,
        inspector: &Inspector,
        checkpoint: Option<Checkpoint>,
        error: &ExportError,
    ) {
        let is_sound = matches!(
            error.kind(),
            ExportErrorKind::Interrupted
                | ExportErrorKind::DeadlineExceeded
                | ExportErrorKind::Download
                | ExportErrorKind::Api
                | ExportErrorKind::PermissionDenied
        );
        if is_sound && self.claimed.is_some() && self.sink_resumes {
            // After an interrupted write, the bytes of the last checkpoint remain.
            let kept = self
                .checkpoint(writer.as_mut(), inspector, checkpoint)
                .await;
            if self.has_checkpoint() || matches!(kept, Ok(true)) {
                return;
            }
        }
        self.abort(writer).await;
    }

    /// Whether another run would find a part of the object to resume.
    fn has_checkpoint(&self) -> bool {
        let is_saved = self
            .claimed
            .as_ref()
            .is_some_and(|claimed| claimed.is_saved);
        is_saved && self.object().is_some_and(|object| object.part.is_some())
    }

    /// Removes the written bytes.
    pub(crate) async fn abort(&mut self, writer: Box<dyn SinkWriter>) {
        // The kept bytes now belong to the other process; dropping the writer leaves them.
        if self.confirm().await.is_err() {
            return;
        }
        if let Err(left) = writer.abort().await {
            // Another run finds it by its token.
            warn!(error = %left, "could not remove staged data: {left}");
            return;
        }
        if let Some(claimed) = &mut self.claimed {
            claimed.record.object = None;
        }
        // If another process takes over now, the next step notices.
        let _ = self.save(false).await;
    }

    /// Removes the staged data of earlier writers of the object and of its receipt.
    pub(crate) async fn discard_stale(&mut self, sink: &dyn Sink) -> Result<(), ExportError> {
        let has_left = |claimed: &ClaimedRecord| claimed.record.has_left_something();
        if !self.claimed.as_ref().is_some_and(has_left) {
            return Ok(());
        }
        self.confirm().await?;
        let Some(claimed) = &mut self.claimed else {
            return Ok(());
        };
        let object = claimed.record.object.take();
        let pending = claimed.record.pending.take().map(|pending| pending.staged);
        for staged in [object, pending].into_iter().flatten() {
            discard(sink, &staged).await;
        }
        Ok(())
    }
}

/// Removes the staged data of an earlier writer.
pub(super) async fn discard(sink: &dyn Sink, staged: &StagedObject) {
    let key = &staged.key;
    match sink.discard(key, &staged.left).await {
        Ok(()) => {}
        Err(error) if error.kind() == SinkErrorKind::Unsupported => {
            info!(%key, %error, "did not look for staged data of an earlier run");
        }
        Err(error) => {
            warn!(%key, %error, "could not remove staged data of {key}: {error}");
        }
    }
}

/// Feeds the kept bytes to an inspector, which is then in the state of the earlier run's.
async fn reread(
    reader: &mut dyn SinkReader,
    mut inspector: Inspector,
    part: &StagedPart,
) -> Result<Inspector, &'static str> {
    while let Ok(chunk) = reader.next().await {
        let Some(chunk) = chunk else {
            let same = inspector.bytes() == part.bytes
                && inspector.crc().is_ok_and(|crc| crc == part.checksum);
            return same
                .then_some(inspector)
                .ok_or("the staged data has changed");
        };
        if inspector.update(&chunk).is_err() {
            return Err("the staged data has changed");
        }
    }
    Err("the staged data cannot be read")
}
