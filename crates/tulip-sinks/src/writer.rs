//! One object on its way into a store: a single put when it is small, otherwise parts of which a
//! bounded number is in flight while the next is filled.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RenameOptions, RenameTargetMode,
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
    fn failed(&self, error: object_store::Error) -> SinkError {
        from_store(error, format!("cannot write {}", self.location))
    }
}

pub(crate) struct ObjectWriter {
    target: Target,
    buffering: Buffering,
    filling: Vec<Bytes>,
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
            self.filling.push(piece);
            if self.filled == self.buffering.part {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Sends what has been filled, waiting first until there is room in flight.
    async fn send_part(&mut self) -> Result<(), SinkError> {
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
        self.filled = 0;
        let payload = PutPayload::from_iter(std::mem::take(&mut self.filling));
        upload.in_flight.spawn(upload.parts.put_part(payload));
        Ok(())
    }

    async fn put_whole(self) -> Result<StoredObject, SinkError> {
        let target = &self.target;
        let mode = match target.mode {
            WriteMode::Create => PutMode::Create,
            _ => PutMode::Overwrite,
        };
        let payload = PutPayload::from_iter(self.filling);
        let result = target
            .store
            .put_opts(&target.path, payload, PutOptions::from(mode))
            .await
            .map_err(|error| target.failed(error))?;
        Ok(StoredObject::new(self.written).with_etag(result.e_tag))
    }

    /// Gathers the parts, then gives the object its name; whatever fails, nothing stays behind.
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
        let result = result.map_err(|error| target.failed(error))?;
        // From here on the staged object is removed by name, no longer by aborting its upload.
        self.upload = None;
        let mode = match target.mode {
            WriteMode::Create => RenameTargetMode::Create,
            _ => RenameTargetMode::Overwrite,
        };
        let options = RenameOptions::new().with_target_mode(mode);
        let renamed = target
            .store
            .rename_opts(&target.staging, &target.path, options)
            .await;
        if let Err(error) = renamed {
            if let Err(left) = target.store.delete(&target.staging).await {
                warn!(location = target.location, error = %left, "a staged object stays behind");
            }
            return Err(target.failed(error));
        }
        Ok(StoredObject::new(self.written).with_etag(result.e_tag))
    }

    async fn discard(&mut self) -> Result<(), SinkError> {
        self.failed = true;
        self.filling.clear();
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
