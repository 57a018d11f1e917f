//! One object on its way into a store: a single put when it is small, otherwise parts of which a
//! bounded number of bytes is in flight while the next is filled.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::PutPayload;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};
use tulip_core::sink::{Metadata, SinkError, SinkErrorKind, SinkWriter, StoredObject};

use crate::object::error::from_store;
use crate::object::parts::{Buffering, Window};
use crate::object::target::{Parts, Target, UploadId};

/// Chunks below this many bytes are copied together; larger ones are handed on as they are.
const GATHER_BELOW: usize = 16 * 1024;

pub(crate) struct ObjectWriter {
    target: Target,
    buffering: Buffering,
    window: Window,
    filling: Vec<Bytes>,
    /// Small chunks, gathered: each would hold on to the whole buffer that it was read into.
    gathering: BytesMut,
    filled: u64,
    /// Parts sent so far.
    sent: u64,
    written: u64,
    /// An upload that the store is asked for, in a task of its own: it may be there although nobody
    /// waits for the answer any more, and only the answer tells how to abort it.
    beginning: Option<JoinHandle<Result<Parts, SinkError>>>,
    upload: Option<Upload>,
    id: UploadId,
    failed: bool,
}

struct Upload {
    parts: Parts,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl Upload {
    fn new(parts: Parts) -> Self {
        Self {
            parts,
            in_flight: JoinSet::new(),
        }
    }
}

impl ObjectWriter {
    pub(crate) fn new(target: Target, buffering: Buffering, window: Window) -> Self {
        Self {
            target,
            buffering,
            window,
            filling: Vec::new(),
            gathering: BytesMut::new(),
            filled: 0,
            sent: 0,
            written: 0,
            beginning: None,
            upload: None,
            id: UploadId::default(),
            failed: false,
        }
    }

    fn part_size(&self) -> u64 {
        self.buffering.part_size(self.sent, self.target.size_hint)
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), SinkError> {
        while !chunk.is_empty() {
            // A full part goes when more comes, so that an object of one part is put whole.
            if self.filled == self.part_size() {
                self.send_part().await?;
            }
            let room = self.part_size() - self.filled;
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let piece = chunk.split_to(room.min(chunk.len()));
            self.filled += piece.len() as u64;
            self.written += piece.len() as u64;
            if piece.len() < GATHER_BELOW {
                self.gathering.extend_from_slice(&piece);
            } else {
                self.flush_gathering();
                self.filling.push(piece);
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
        let bytes = payload.content_length() as u64;
        if self.upload.is_none() {
            let (target, id) = (self.target.clone(), self.id.clone());
            let begin = async move { target.begin_parts(&id).await };
            self.beginning = Some(tokio::spawn(begin));
            self.begun().await?;
        }
        let target = &self.target;
        let Some(upload) = &mut self.upload else {
            return Err(ended(target));
        };
        // What has failed already is told now, not when everything has been read.
        while let Some(ended) = upload.in_flight.try_join_next() {
            joined(ended, target)?;
        }
        let admitted = loop {
            tokio::select! {
                biased;
                admitted = self.window.admit(bytes) => break admitted,
                Some(ended) = upload.in_flight.join_next() => joined(ended, target)?,
            }
        };
        let sending = upload.parts.upload().put_part(payload);
        upload.in_flight.spawn(async move {
            let result = sending.await;
            drop(admitted);
            result
        });
        self.sent += 1;
        if !self.buffering.overlaps(bytes) {
            while let Some(ended) = upload.in_flight.join_next().await {
                joined(ended, target)?;
            }
        }
        Ok(())
    }

    /// Waits for the upload that is being begun, if one is.
    async fn begun(&mut self) -> Result<(), SinkError> {
        let Some(beginning) = &mut self.beginning else {
            return Ok(());
        };
        let begun = beginning.await;
        self.beginning = None;
        let parts = begun.map_err(|error| self.target.failed(error.into()))??;
        self.upload = Some(Upload::new(parts));
        Ok(())
    }

    /// Sends what has been filled, and waits until all that was sent has arrived.
    async fn flush(&mut self) -> Result<&mut Upload, SinkError> {
        if self.filled > 0 {
            self.send_part().await?;
        }
        let target = &self.target;
        let Some(upload) = &mut self.upload else {
            return Err(ended(target));
        };
        while let Some(ended) = upload.in_flight.join_next().await {
            joined(ended, target)?;
        }
        Ok(upload)
    }

    /// Gathers the parts and makes the object visible.
    async fn commit(&mut self) -> Result<StoredObject, SinkError> {
        let ended = self.flush().await?.parts.upload().complete().await;
        let put = ended.map_err(|error| self.target.failed(error))?;
        // From here on there is an object, no longer an upload that could be aborted.
        self.upload = None;
        self.target.publish(self.written, Some(put)).await
    }

    /// Waits until all parts that were sent have arrived. A store keeps none for another writer.
    async fn keep(&mut self) -> Result<Option<u64>, SinkError> {
        let Some(upload) = &mut self.upload else {
            return Ok(None);
        };
        while let Some(ended) = upload.in_flight.join_next().await {
            joined(ended, &self.target)?;
        }
        Ok(None)
    }

    async fn discard(&mut self) -> Result<(), SinkError> {
        self.failed = true;
        self.filling.clear();
        self.gathering.clear();
        // One that could not be begun needs no abort.
        let _ = self.begun().await;
        match self.upload.take() {
            Some(upload) => abort(upload, &self.target.location).await,
            None => Ok(()),
        }
    }

    /// Removes what was staged after a failure, of which the first is what the caller gets.
    async fn after(&mut self, first: SinkError) -> SinkError {
        if let Err(error) = self.discard().await {
            warn!(location = self.target.location, %error, "an unfinished upload stays behind");
        }
        first
    }
}

async fn abort(mut upload: Upload, location: &str) -> Result<(), SinkError> {
    upload.in_flight.shutdown().await;
    let aborted = upload.parts.upload().abort().await;
    aborted.map_err(|error| {
        let what = format!("cannot remove the unfinished upload of {location}");
        from_store(error, what)
    })
}

fn joined(
    ended: Result<object_store::Result<()>, tokio::task::JoinError>,
    target: &Target,
) -> Result<(), SinkError> {
    match ended {
        Ok(result) => result.map_err(|error| target.failed(error)),
        Err(error) => Err(target.failed(error.into())),
    }
}

fn ended(target: &Target) -> SinkError {
    let what = format!("{} was given up after an earlier error", target.location);
    SinkError::new(SinkErrorKind::Other, what)
}

impl Drop for ObjectWriter {
    /// Without an abort, an upload would wait at the store, unseen and paid for.
    fn drop(&mut self) {
        let (upload, beginning) = (self.upload.take(), self.beginning.take());
        if upload.is_none() && beginning.is_none() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let location = std::mem::take(&mut self.target.location);
        runtime.spawn(async move {
            let begun = match beginning {
                Some(beginning) => beginning.await.ok().and_then(Result::ok),
                None => None,
            };
            let Some(upload) = upload.or(begun.map(Upload::new)) else {
                return;
            };
            match abort(upload, &location).await {
                Ok(()) => debug!(location, "removed the upload of a dropped writer"),
                Err(error) => warn!(location, %error, "an unfinished upload stays behind"),
            }
        });
    }
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

    fn trace(&self) -> Option<String> {
        self.target.trace(self.id.get())
    }

    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        if self.failed {
            return Err(ended(&self.target));
        }
        // As in a write.
        self.failed = true;
        match self.keep().await {
            Ok(bytes) => {
                self.failed = false;
                Ok(bytes)
            }
            Err(error) => Err(self.after(error).await),
        }
    }

    /// Stores take metadata when an upload begins: what comes later is kept only beside objects
    /// that are put whole.
    fn annotate(&mut self, metadata: &Metadata) {
        if let Some(kept) = &mut self.target.kept {
            kept.add(metadata);
        }
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed {
            return Err(ended(&self.target));
        }
        if self.upload.is_none() {
            let payload = self.payload();
            return self.target.put_whole(payload).await;
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
