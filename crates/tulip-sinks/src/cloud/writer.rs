//! The writer of one object: in a single put if it is small, otherwise in parts, with a bounded
//! number of bytes in flight while the next part is filled.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::PutPayload;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};
use tulip_core::sink::{Metadata, SinkError, SinkErrorKind, SinkWriter, StoredObject};

use super::budget::{InFlightLimit, MemoryBudget};
use super::destination::{Destination, PartSink};
use super::error::from_store;

/// Chunks below this many bytes are copied together; larger ones are handed on as they are.
const GATHER_BELOW: usize = 16 * 1024;

/// Writes one object.
pub(super) struct ObjectWriter {
    destination: Destination,
    budget: MemoryBudget,
    in_flight: InFlightLimit,
    filling: Vec<Bytes>,
    /// Copies of small chunks, each of which would keep alive the whole buffer it was read into.
    gathering: BytesMut,
    filled: u64,
    /// Parts sent so far.
    sent: u64,
    written: u64,
    /// The creation of an upload, in its own task: the upload may exist even if nobody waits for
    /// the answer any more, and only the answer says how to abort it.
    creating: Option<JoinHandle<Result<PartSink, SinkError>>>,
    upload: Option<Upload>,
    failed: bool,
}

struct Upload {
    parts: PartSink,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl Upload {
    fn new(parts: PartSink) -> Self {
        Self {
            parts,
            in_flight: JoinSet::new(),
        }
    }
}

impl ObjectWriter {
    pub(super) fn new(
        destination: Destination,
        budget: MemoryBudget,
        in_flight: InFlightLimit,
    ) -> Self {
        Self {
            destination,
            budget,
            in_flight,
            filling: Vec::new(),
            gathering: BytesMut::new(),
            filled: 0,
            sent: 0,
            written: 0,
            creating: None,
            upload: None,
            failed: false,
        }
    }

    fn part_size(&self) -> Result<u64, SinkError> {
        let size = self.budget.part_size(self.sent, self.destination.announced);
        size.ok_or_else(|| {
            self.budget
                .outgrown(self.written, &self.destination.location)
        })
    }

    async fn take(&mut self, mut chunk: Bytes) -> Result<(), SinkError> {
        while !chunk.is_empty() {
            // A full part is sent only when more comes, so that an object of one part is put whole.
            if self.filled == self.part_size()? {
                self.send_part().await?;
            }
            let room = self.part_size()? - self.filled;
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

    /// Sends the filled part, once there is room in flight.
    async fn send_part(&mut self) -> Result<(), SinkError> {
        let payload = self.payload();
        let bytes = payload.content_length() as u64;
        if self.upload.is_none() {
            let destination = self.destination.clone();
            let create = async move { destination.create_upload().await };
            self.creating = Some(tokio::spawn(create));
            self.created().await?;
        }
        let destination = &self.destination;
        let Some(upload) = &mut self.upload else {
            return Err(ended(destination));
        };
        // Reports failed parts now, not after everything was read.
        while let Some(ended) = upload.in_flight.try_join_next() {
            joined(ended, destination)?;
        }
        let permit = loop {
            tokio::select! {
                biased;
                permit = self.in_flight.acquire(bytes) => break permit,
                Some(ended) = upload.in_flight.join_next() => joined(ended, destination)?,
            }
        };
        let sending = upload.parts.upload.put_part(payload);
        upload.in_flight.spawn(async move {
            let result = sending.await;
            drop(permit);
            result
        });
        self.sent += 1;
        if !self.budget.overlaps(bytes) {
            arrived(upload, destination).await?;
        }
        Ok(())
    }

    /// Waits for the upload that is being created, if any.
    async fn created(&mut self) -> Result<(), SinkError> {
        let Some(creating) = &mut self.creating else {
            return Ok(());
        };
        let created = creating.await;
        self.creating = None;
        let parts = created.map_err(|error| self.destination.failed(error.into()))??;
        self.upload = Some(Upload::new(parts));
        Ok(())
    }

    /// Sends the last part, completes the upload and makes the object visible.
    async fn commit(&mut self) -> Result<StoredObject, SinkError> {
        if self.filled > 0 {
            self.send_part().await?;
        }
        let destination = &self.destination;
        let Some(upload) = &mut self.upload else {
            return Err(ended(destination));
        };
        arrived(upload, destination).await?;
        let upload = upload.parts.upload.as_mut();
        let object = destination.complete(upload, self.written).await?;
        // From here on there is an object, and no upload to abort.
        self.upload = None;
        self.destination.publish(object).await
    }

    async fn discard(&mut self) -> Result<(), SinkError> {
        self.failed = true;
        self.filling.clear();
        self.gathering.clear();
        // An upload that could not be created needs no abort.
        let _ = self.created().await;
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        let aborted = abort(upload, &self.destination.location).await;
        // Not before: if this future is dropped, the next call aborts the upload.
        self.upload = None;
        aborted
    }

    /// Aborts the upload after a failure, and returns that failure's error.
    async fn after(&mut self, first: SinkError) -> SinkError {
        if let Err(error) = self.discard().await {
            let location = &self.destination.location;
            warn!(location, %error, "an unfinished upload of {location} is left: {error}");
        }
        first
    }
}

/// Waits until every part that was sent has arrived.
async fn arrived(upload: &mut Upload, destination: &Destination) -> Result<(), SinkError> {
    while let Some(ended) = upload.in_flight.join_next().await {
        joined(ended, destination)?;
    }
    Ok(())
}

/// Aborts an upload. One that the store no longer has is no error.
async fn abort(upload: &mut Upload, location: &str) -> Result<(), SinkError> {
    upload.in_flight.shutdown().await;
    let aborted = upload.parts.upload.abort().await;
    aborted.map_err(|error| {
        let what = format!("cannot remove the unfinished upload of {location}");
        from_store(error, what)
    })
}

fn joined(
    ended: Result<object_store::Result<()>, tokio::task::JoinError>,
    destination: &Destination,
) -> Result<(), SinkError> {
    match ended {
        Ok(result) => result.map_err(|error| destination.failed(error)),
        Err(error) => Err(destination.failed(error.into())),
    }
}

fn ended(destination: &Destination) -> SinkError {
    let what = format!(
        "{} was aborted after an earlier error",
        destination.location
    );
    SinkError::new(SinkErrorKind::Other, what)
}

impl Drop for ObjectWriter {
    /// Aborts the upload, which would otherwise stay at the store, unseen and paid for.
    fn drop(&mut self) {
        let (upload, creating) = (self.upload.take(), self.creating.take());
        if upload.is_none() && creating.is_none() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let location = std::mem::take(&mut self.destination.location);
        runtime.spawn(async move {
            let created = match creating {
                Some(creating) => creating.await.ok().and_then(Result::ok),
                None => None,
            };
            let Some(mut upload) = upload.or(created.map(Upload::new)) else {
                return;
            };
            match abort(&mut upload, &location).await {
                Ok(()) => debug!(location, "removed the upload of a dropped writer"),
                Err(error) => {
                    warn!(location, %error, "an unfinished upload of {location} is left: {error}");
                }
            }
        });
    }
}

#[async_trait]
impl SinkWriter for ObjectWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        if self.failed {
            return Err(ended(&self.destination));
        }
        // A write that is dropped half-way has lost bytes, so the writer must not be closed.
        self.failed = true;
        match self.take(chunk).await {
            Ok(()) => {
                self.failed = false;
                Ok(())
            }
            Err(error) => Err(self.after(error).await),
        }
    }

    fn resume_token(&self) -> Option<String> {
        let upload = self.upload.as_ref();
        let id = upload.and_then(|upload| upload.parts.id.as_deref());
        self.destination.resume_token(id)
    }

    fn stages_on_close(&self) -> bool {
        let announced = self.destination.announced;
        let is_one_part = announced.is_some_and(|announced| {
            let first = self.budget.part_size(0, Some(announced));
            first.is_some_and(|first| announced <= first)
        });
        is_one_part && self.creating.is_none() && self.upload.is_none()
    }

    /// Only waits for the parts in flight: another process cannot resume a store's upload.
    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        if self.failed {
            return Err(ended(&self.destination));
        }
        let Some(upload) = &mut self.upload else {
            return Ok(None);
        };
        // As in a write.
        self.failed = true;
        match arrived(upload, &self.destination).await {
            Ok(()) => {
                self.failed = false;
                Ok(None)
            }
            Err(error) => Err(self.after(error).await),
        }
    }

    /// Stores take metadata when an upload is created. Later metadata is kept only for objects that
    /// are put whole.
    fn annotate(&mut self, metadata: &Metadata) {
        self.destination.annotate(metadata);
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed {
            // After a dropped write, nothing has aborted the upload yet.
            let error = ended(&self.destination);
            return Err(self.after(error).await);
        }
        if self.upload.is_none() {
            let payload = self.payload();
            return self.destination.put_whole(payload).await;
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
