//! The writer of one file: parts are written in the order of their offsets, a bounded number at a
//! time.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};
use tracing::warn;
use tulip_core::sink::{SinkError, SinkWriter, StoredObject};

use super::blocking;
use super::destination::Destination;
use super::error::from_io;
use super::options::Limits;
use super::part::Part;
use super::staged_file::{Caching, OpenFile, StagedFile};

/// A file with fewer bytes, such as a receipt, goes through the page cache, which is cheaper than a
/// direct write.
const SMALL: usize = 256 * 1024;

pub(super) struct FileWriter {
    destination: Destination,
    staged_path: PathBuf,
    limits: Limits,
    /// The bytes that were not handed to a write yet.
    part: Part,
    /// Where `part` starts in the file.
    at: u64,
    /// Whether the whole file is one part, according to its announced size.
    is_one_part: bool,
    /// `None` until the first write. A file of one part is written whole by [`SinkWriter::close`].
    staged: Option<StagedFile>,
    /// The staged file while it is created or cut. Kept here, so that a write that is dropped
    /// meanwhile does not lose it.
    preparing: Option<JoinHandle<Result<StagedFile, SinkError>>>,
    in_flight: JoinSet<Result<(), SinkError>>,
    failed: bool,
}

impl FileWriter {
    pub(super) fn new(destination: Destination, staged_path: PathBuf, limits: Limits) -> Self {
        Self {
            destination,
            staged_path,
            limits,
            part: Part::default(),
            at: 0,
            is_one_part: false,
            staged: None,
            preparing: None,
            in_flight: JoinSet::new(),
            failed: false,
        }
    }

    /// Sets the announced size of the file, if it is known.
    pub(super) fn announced(mut self, bytes: Option<u64>) -> Self {
        self.is_one_part = bytes.is_some_and(|bytes| bytes <= self.limits.part as u64);
        self
    }

    /// Creates a writer that continues after the first `bytes` of a staged file.
    pub(super) fn resume(
        destination: Destination,
        staged: StagedFile,
        bytes: u64,
        limits: Limits,
    ) -> Self {
        let staged_path = staged.path().to_owned();
        let mut writer = Self::new(destination, staged_path, limits);
        writer.staged = Some(staged);
        writer.at = bytes;
        writer
    }

    /// The bytes that the part still takes. Parts end at multiples of their size, so that a resumed
    /// file is soon written in whole blocks again.
    fn room(&self) -> usize {
        let part = self.limits.part;
        let offset = usize::try_from(self.at % part as u64).unwrap_or(0);
        part - offset - self.part.len()
    }

    async fn append(&mut self, mut chunk: Bytes) -> Result<(), SinkError> {
        while !chunk.is_empty() {
            // A full part is sent only when more comes, so that a file of one part is written
            // whole.
            if self.room() == 0 {
                self.send_part().await?;
            }
            let room = self.room().min(chunk.len());
            self.part.push(chunk.split_to(room));
        }
        Ok(())
    }

    /// Starts to write the part, once fewer writes are in flight.
    async fn send_part(&mut self) -> Result<(), SinkError> {
        let file = self.prepared_file().await?;
        // Reports failed writes now, not after everything was read.
        while let Some(written) = self.in_flight.try_join_next() {
            joined(written)?;
        }
        let in_flight = self.limits.in_flight.clone();
        let permit = in_flight.acquire_owned().await;
        let permit = permit.map_err(|_| self.destination.error("the sink is closed"))?;
        let (at, length) = (self.at, self.part.len());
        let chunks = self.part.take();
        self.at += length as u64;
        let destination = self.destination.clone();
        self.in_flight.spawn_blocking(move || {
            let written = file.write(&chunks, at);
            drop((chunks, permit));
            written.map_err(|error| destination.failed(error))
        });
        Ok(())
    }

    /// Returns the staged file, which it creates or, if it is resumed, cuts to the resumed bytes.
    async fn prepared_file(&mut self) -> Result<Arc<OpenFile>, SinkError> {
        if self.staged.as_ref().is_none_or(StagedFile::has_excess) {
            let (destination, at) = (self.destination.clone(), self.at);
            let (path, unprepared) = (self.staged_path.clone(), self.staged.take());
            self.preparing = Some(spawn_blocking(move || {
                let prepared = match unprepared {
                    None => StagedFile::create(path, Caching::Direct),
                    Some(staged) => cut(staged, at),
                };
                prepared.map_err(|error| destination.failed(error))
            }));
            self.prepared().await?;
        }
        match &self.staged {
            Some(staged) => Ok(staged.open_file()),
            None => Err(self.ended()),
        }
    }

    /// Waits for the staged file that is being prepared, if any.
    async fn prepared(&mut self) -> Result<(), SinkError> {
        if let Some(preparing) = &mut self.preparing {
            let prepared = preparing.await;
            self.preparing = None;
            self.staged = Some(joined(prepared)?);
        }
        Ok(())
    }

    /// Writes everything that was accepted, and waits for it.
    async fn flush(&mut self) -> Result<(), SinkError> {
        if self.part.len() > 0 {
            self.send_part().await?;
        }
        while let Some(written) = self.in_flight.join_next().await {
            joined(written)?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<StoredObject, SinkError> {
        if self.staged.is_some() {
            self.flush().await?;
        }
        let (destination, staged) = (self.destination.clone(), self.staged.take());
        let (path, at, length) = (self.staged_path.clone(), self.at, self.part.len());
        let chunks = self.part.take();
        // Dropped with this future, so that the thread sees that nobody waits any more.
        let waiting = Arc::new(());
        let waited_for = Arc::downgrade(&waiting);
        let committed = blocking::run(move || {
            let staged = match staged {
                Some(staged) => staged,
                None => create_whole(path, length, &chunks).map_err(|e| destination.failed(e))?,
            };
            let is_waited_for = || waited_for.strong_count() > 0;
            destination.commit(staged, at + length as u64, is_waited_for)
        })
        .await;
        drop(waiting);
        committed
    }

    /// Removes the staged file.
    async fn discard(&mut self) -> Result<(), SinkError> {
        self.failed = true;
        self.part.take();
        // A running write cannot be stopped, and must not outlast this.
        self.in_flight.abort_all();
        while self.in_flight.join_next().await.is_some() {}
        // A file that could not be prepared is not there.
        let _ = self.prepared().await;
        let Some(staged) = self.staged.take() else {
            return Ok(());
        };
        blocking::run(move || {
            let what = format!("cannot remove {}", staged.path().display());
            staged.remove().map_err(|error| from_io(error, what))
        })
        .await
    }

    /// Removes the staged file after a failure, and returns that failure's `error`.
    async fn fail(&mut self, error: SinkError) -> SinkError {
        if let Err(error) = self.discard().await {
            warn!(%error, "could not remove a staged file: {error}");
        }
        error
    }

    fn ended(&self) -> SinkError {
        self.destination.error("an earlier write failed")
    }
}

/// Creates a staged file with all of its bytes.
fn create_whole(path: PathBuf, length: usize, chunks: &[Bytes]) -> std::io::Result<StagedFile> {
    let caching = match length < SMALL {
        true => Caching::PageCache,
        false => Caching::Direct,
    };
    let staged = StagedFile::create(path, caching)?;
    match staged.open_file().write(chunks, 0) {
        Ok(()) => Ok(staged),
        Err(error) => {
            if let Err(error) = staged.remove() {
                warn!(%error, "could not remove a staged file: {error}");
            }
            Err(error)
        }
    }
}

/// Cuts a resumed file to its first bytes, or removes it if that is not possible.
fn cut(mut staged: StagedFile, bytes: u64) -> std::io::Result<StagedFile> {
    match staged.cut(bytes) {
        Ok(()) => Ok(staged),
        Err(error) => {
            if let Err(error) = staged.remove() {
                warn!(%error, "could not remove a staged file: {error}");
            }
            Err(error)
        }
    }
}

fn joined<T>(done: Result<Result<T, SinkError>, JoinError>) -> Result<T, SinkError> {
    done.unwrap_or_else(|error| Err(blocking::stopped(error)))
}

#[async_trait]
impl SinkWriter for FileWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        if self.failed {
            return Err(self.ended());
        }
        // A write that is dropped half-way has lost bytes, so no later call may succeed.
        self.failed = true;
        match self.append(chunk).await {
            Ok(()) => {
                self.failed = false;
                Ok(())
            }
            Err(error) => Err(self.fail(error).await),
        }
    }

    fn resume_token(&self) -> Option<String> {
        let name = self.staged_path.file_name()?;
        name.to_str().map(str::to_owned)
    }

    fn stages_on_close(&self) -> bool {
        self.is_one_part && self.staged.is_none() && self.preparing.is_none()
    }

    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        if self.failed {
            return Err(self.ended());
        }
        if self.staged.is_none() {
            return Ok(None);
        }
        self.failed = true;
        match self.flush().await {
            Ok(()) => {
                self.failed = false;
                if let Some(staged) = &mut self.staged {
                    staged.keep();
                }
                Ok(Some(self.at))
            }
            Err(error) => Err(self.fail(error).await),
        }
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed {
            // After a dropped write, nothing has removed the staged file yet.
            let error = self.ended();
            return Err(self.fail(error).await);
        }
        match self.commit().await {
            Ok(stored) => Ok(stored),
            Err(error) => Err(self.fail(error).await),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        self.discard().await
    }
}
