//! One object on its way into a store: a single put when it is small, otherwise parts of which a
//! bounded number is in flight while the next is filled. Either way it is staged under a name of
//! its own and renamed when it is whole.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, RenameOptions, RenameTargetMode,
};
use tokio::task::JoinSet;
use tracing::warn;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode};

use crate::error::from_store;

/// How much of an object is held in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffering {
    /// Bytes of one part.
    pub(crate) part: usize,
    /// Parts that may be on their way at once, beside the one that is being filled.
    pub(crate) in_flight: usize,
}

/// Where an object goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// Where parts are gathered before the object is renamed to `path`.
    pub(crate) staging: Path,
    pub(crate) mode: WriteMode,
    /// For people.
    pub(crate) location: String,
}

impl Target {
    /// Gives what is staged whole its name.
    async fn publish(&self, bytes: u64, etag: Option<String>) -> Result<StoredObject, SinkError> {
        let mode = match self.mode {
            WriteMode::Create => RenameTargetMode::Create,
            _ => RenameTargetMode::Overwrite,
        };
        let options = RenameOptions::new().with_target_mode(mode);
        let renamed = self
            .store
            .rename_opts(&self.staging, &self.path, options)
            .await;
        if let Err(error) = renamed {
            if let Err(left) = self.store.delete(&self.staging).await {
                warn!(location = self.location, error = %left, "a staged object stays behind");
            }
            return Err(self.failed(error));
        }
        Ok(StoredObject::new(bytes).with_etag(etag))
    }

    fn failed(&self, error: object_store::Error) -> SinkError {
        from_store(error, format!("cannot write {}", self.location))
    }
}

/// Chunks below this many bytes are copied together; larger ones are handed on as they are.
const GATHER_BELOW: usize = 16 * 1024;

pub(crate) struct ObjectWriter {
    target: Target,
    buffering: Buffering,
    filling: Vec<Bytes>,
    /// Small chunks, gathered: each would hold on to the whole buffer that it was read into.
    gathering: BytesMut,
    filled: usize,
    written: u64,
    upload: Option<Upload>,
    failed: bool,
}

struct Upload {
    parts: Box<dyn MultipartUpload>,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl ObjectWriter {
    pub(crate) fn new(target: Target, buffering: Buffering) -> Self {
        Self {
            target,
            buffering,
            filling: Vec::new(),
            gathering: BytesMut::new(),
            filled: 0,
            written: 0,
            upload: None,
            failed: false,
        }
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), SinkError> {
        self.written += chunk.len() as u64;
        while !chunk.is_empty() {
            let room = self.buffering.part - self.filled;
            let piece = chunk.split_to(room.min(chunk.len()));
            self.filled += piece.len();
            if piece.len() < GATHER_BELOW {
                self.gathering.extend_from_slice(&piece);
            } else {
                self.flush_gathering();
                self.filling.push(piece);
            }
            if self.filled == self.buffering.part {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    fn flush_gathering(&mut self) {
        if !self.gathering.is_empty() {
            self.filling.push(self.gathering.split().freeze());
        }
    }

    fn payload(&mut self) -> PutPayload {
        self.flush_gathering();
        self.filled = 0;
        PutPayload::from_iter(std::mem::take(&mut self.filling))
    }

    /// Sends what has been filled, waiting first until there is room in flight.
    async fn send_part(&mut self) -> Result<(), SinkError> {
        let payload = self.payload();
        let target = &self.target;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let parts = target.store.put_multipart(&target.staging).await;
                self.upload.insert(Upload {
                    parts: parts.map_err(|error| target.failed(error))?,
                    in_flight: JoinSet::new(),
                })
            }
        };
        while upload.in_flight.len() >= self.buffering.in_flight {
            join_one(&mut upload.in_flight, target).await?;
        }
        upload.in_flight.spawn(upload.parts.put_part(payload));
        Ok(())
    }

    /// Stages a small object whole, then gives it its name.
    async fn put_whole(&mut self) -> Result<StoredObject, SinkError> {
        let payload = self.payload();
        let put = self.target.store.put(&self.target.staging, payload).await;
        let etag = put.map_err(|error| self.target.failed(error))?.e_tag;
        self.target.publish(self.written, etag).await
    }

    /// Gathers the parts, then gives the object its name. Nothing stays behind a failure, except
    /// where completing the upload itself fails: what that leaves is swept later.
    async fn commit(&mut self) -> Result<StoredObject, SinkError> {
        if self.filled > 0 {
            self.send_part().await?;
        }
        let target = &self.target;
        let Some(upload) = &mut self.upload else {
            return Err(ended(target));
        };
        while !upload.in_flight.is_empty() {
            join_one(&mut upload.in_flight, target).await?;
        }
        let result = upload.parts.complete().await;
        let etag = result.map_err(|error| target.failed(error))?.e_tag;
        // From here on the staged object is removed by name, no longer by aborting its upload.
        self.upload = None;
        self.target.publish(self.written, etag).await
    }

    async fn discard(&mut self) -> Result<(), SinkError> {
        self.failed = true;
        self.filling.clear();
        self.gathering.clear();
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        upload.in_flight.shutdown().await;
        let aborted = upload.parts.abort().await;
        aborted.map_err(|error| {
            let what = format!("cannot remove what was staged for {}", self.target.location);
            from_store(error, what)
        })
    }

    /// Removes what was staged after a failure, of which the first is what the caller gets.
    async fn after(&mut self, first: SinkError) -> SinkError {
        if let Err(error) = self.discard().await {
            let location = &self.target.location;
            warn!(location, %error, "an unfinished upload stays behind");
        }
        first
    }
}

async fn join_one(
    in_flight: &mut JoinSet<object_store::Result<()>>,
    target: &Target,
) -> Result<(), SinkError> {
    match in_flight.join_next().await {
        Some(Ok(Ok(()))) | None => Ok(()),
        Some(Ok(Err(error))) => Err(target.failed(error)),
        Some(Err(error)) => Err(target.failed(error.into())),
    }
}

fn ended(target: &Target) -> SinkError {
    let what = format!("{} was given up after an earlier error", target.location);
    SinkError::new(SinkErrorKind::Other, what)
}

#[async_trait]
impl SinkWriter for ObjectWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        if self.failed {
            return Err(ended(&self.target));
        }
        // A write that is dropped half-way has lost bytes: the writer must not be closed then.
        self.failed = true;
        match self.take(chunk).await {
            Ok(()) => {
                self.failed = false;
                Ok(())
            }
            Err(error) => Err(self.after(error).await),
        }
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed {
            return Err(ended(&self.target));
        }
        if self.upload.is_none() {
            return self.put_whole().await;
        }
        match self.commit().await {
            Ok(stored) => Ok(stored),
            Err(error) => Err(self.after(error).await),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        self.discard().await
    }
}
