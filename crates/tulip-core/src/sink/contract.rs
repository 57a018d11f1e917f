//! [`Sink`] and [`SinkWriter`].

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::{SinkError, SinkErrorKind, SinkLister, SinkReader, StaleUpload};
use crate::{Checksum, ObjectKey, Timestamp};

/// The metadata that a store keeps with an object, by name: `tulip-job`, `tulip-machine`,
/// `tulip-checksum`. Names are lower-case ASCII letters, digits and hyphens, as HTTP headers
/// require; values are any text.
pub type Metadata = BTreeMap<String, String>;

/// The alignment of the chunks that an export writes: the address of a chunk and its offset in the
/// object are equal modulo this many bytes, except for small pieces and the last chunk. A sink can
/// use it to pass chunks to a disk without a copy. It is only a hint for speed: no sink may rely on
/// it.
pub const CHUNK_ALIGNMENT: usize = 4096;

/// A store for archives.
///
/// Implementations promise:
/// - Nothing is visible under a key before [`SinkWriter::close`], which makes the object visible as
///   a whole. An existing object stays whole until then.
/// - Writers for different keys do not mix, however many are open at once.
/// - Memory per writer is bounded, whatever the object's size.
/// - Every future ends in bounded time, even if the store no longer answers, because nothing else
///   limits these calls. Over a network, fail after
///   [`NetworkOptions::read_timeout`](crate::NetworkOptions::read_timeout) without progress.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Returns the URL scheme of this sink, for receipts and messages.
    fn scheme(&self) -> &str;

    /// Returns the location of the object under `key`: a path or URL without secrets. It is unique
    /// to the place and the same in every process, because it does not only appear in messages: it
    /// identifies incomplete exports to a sink that was not made from a URL.
    fn location(&self, key: &ObjectKey) -> String;

    /// Returns what this sink promises beyond writing: by default nothing. The promise never
    /// changes; [`Sink::probe`] reports what a store turns out to lack.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Checks, before anything is started or downloaded, that objects can be written: that the
    /// target exists, answers, and grants access. Reports what the store can really do, which can
    /// be less than [`Sink::capabilities`] promises. `mode` is how objects will be opened:
    /// [`WriteMode::Create`] need only be tried if it will be used. By default nothing is checked.
    ///
    /// # Errors
    /// [`SinkError`] that says what is in the way.
    async fn probe(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        let _ = mode;
        Ok(Probe::unchecked(self.capabilities()))
    }

    /// Like [`Sink::probe`], but also sends a part of realistic size, to find limits such as the
    /// largest body that a proxy accepts. It is for diagnosis; exports only probe. It may send
    /// megabytes, and leaves nothing behind. By default it is the probe.
    ///
    /// # Errors
    /// See [`Sink::probe`].
    async fn check(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        self.probe(mode).await
    }

    /// Returns the object stored under `key`, or `None`. Requires [`Capabilities::lookup`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise the reason the lookup failed.
    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        Err(unsupported(self.scheme(), format!("look up {key}")))
    }

    /// Opens the object stored under `key` for reading, or returns `None` if there is none.
    /// Requires [`Capabilities::read`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise the reason the sink could not read.
    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        Err(unsupported(self.scheme(), format!("read {key}")))
    }

    /// Lists every object below the sink's root, in no particular order and without staged objects.
    /// Anything that cannot be inspected, or whose name is not a key, is reported as skipped.
    /// Requires [`Capabilities::read`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise the reason the sink could not list.
    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        Err(unsupported(self.scheme(), "list what it holds".to_owned()))
    }

    /// Opens an object under `key` for writing. Nothing is staged before the first write, so that
    /// the caller can record the object, and the writer's token if it has one, before there is
    /// anything to remove.
    ///
    /// # Errors
    /// [`SinkError`] if the object cannot be opened: [`SinkErrorKind::AlreadyExists`] if `options`
    /// ask for a new object and one is known to exist; [`SinkErrorKind::Unsupported`] if they ask
    /// for that and the store cannot guarantee it; [`SinkErrorKind::TooLarge`] if the announced
    /// size is more than the sink can hold.
    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError>;

    /// Resumes an object from the first `bytes` bytes that an earlier writer left, as reported by
    /// one of its [checkpoints](SinkWriter::checkpoint). Returns `None` if they no longer exist.
    /// Requires [`Capabilities::resume`].
    ///
    /// # Errors
    /// See [`Sink::open`]. [`SinkErrorKind::Unsupported`] by default.
    async fn resume(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        left: &StaleUpload,
        bytes: u64,
    ) -> Result<Option<Resumed>, SinkError> {
        let _ = (options, left, bytes);
        Err(unsupported(self.scheme(), format!("resume {key}")))
    }

    /// Removes what an earlier writer of `key` left behind: a staged file, an unfinished upload. It
    /// is not an error if nothing is left. Does nothing by default.
    ///
    /// # Errors
    /// [`SinkError`] if something remains; its message says what. [`SinkErrorKind::Unsupported`] if
    /// it cannot be found without a resume token.
    async fn discard(&self, key: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        let _ = (key, left);
        Ok(())
    }

    /// Removes everything below the root that any writer staged before `before` and did not remove,
    /// and returns the number of items. Does nothing by default.
    ///
    /// # Errors
    /// [`SinkError`] if something remains, or the search failed.
    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        let _ = before;
        Ok(0)
    }
}

fn unsupported(scheme: &str, what: String) -> SinkError {
    let message = format!("the {scheme} sink cannot {what}");
    SinkError::new(SinkErrorKind::Unsupported, message)
}

/// One object being written.
///
/// # Cancellation
/// Dropping a writer, even inside one of its futures, leaves nothing partial visible under the key;
/// inside [`SinkWriter::close`], the whole object may become visible. The implementation removes
/// what it leaves elsewhere (a staging file, an unfinished upload) if a drop allows that, unless
/// [`SinkWriter::checkpoint`] has asked to keep it; [`SinkWriter::abort`] always removes it.
///
/// A [`SinkWriter::write`] or [`SinkWriter::checkpoint`] whose future is dropped counts as failed:
/// every later write and close fails, [`SinkWriter::abort`] still removes everything, and no later
/// checkpoint counts bytes of the dropped write.
#[async_trait]
pub trait SinkWriter: Send {
    /// Writes one chunk. When it returns, the sink has accepted the whole chunk, in order, and is
    /// ready for the next: a slow sink delays here, which slows the download. An empty chunk is
    /// allowed and changes nothing.
    ///
    /// # Errors
    /// [`SinkError`]; the object is then lost, and every later call except [`SinkWriter::abort`]
    /// fails too.
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError>;

    /// Returns a resume token, with which [`Sink::resume`] and [`Sink::discard`] find what this
    /// writer has made so far if its process ends now. The caller asks for it after [`Sink::open`]
    /// and after every write and stores it, so it must be cheap and contain no secret. `None`, the
    /// default, as long as nothing would be left.
    fn resume_token(&self) -> Option<String> {
        None
    }

    /// Whether nothing is staged before [`SinkWriter::close`], because the object is so small by
    /// its [size hint](OpenOptions::size_hint) that it goes to the store as a whole. The caller
    /// then need not record it beforehand. `false` by default.
    fn stages_on_close(&self) -> bool {
        false
    }

    /// Makes everything written so far available to [`Sink::resume`] in another process, and
    /// returns its size in bytes. From then on a drop keeps it. `None`, the default, if the sink
    /// cannot do that; even then, data in flight has reached the store.
    ///
    /// # Errors
    /// See [`SinkWriter::write`].
    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    /// Adds metadata that only became known during the write, such as the object's checksum. Called
    /// at most once, before [`SinkWriter::close`]. Ignored by default, which is right for a store
    /// that keeps no metadata, or takes it only at the start.
    fn annotate(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// Makes the object visible, whole, and as durable as the store allows.
    ///
    /// # Errors
    /// [`SinkError`]; nothing new is then visible, unless the store's answer was lost.
    ///
    /// # Cancellation
    /// If the future is dropped, the object is visible as a whole or not at all.
    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError>;

    /// Removes what has been written.
    ///
    /// # Errors
    /// [`SinkError`] if something was left behind; its message says what.
    async fn abort(self: Box<Self>) -> Result<(), SinkError>;
}

/// The result of [`Sink::probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What the store can do. Does not change while the sink lives.
    pub capabilities: Capabilities,
    /// Whether anything was checked: a sink without its own probe only assumes.
    pub checked: bool,
}

impl Probe {
    /// Creates the result of a check that found these capabilities.
    #[must_use]
    pub const fn checked(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            checked: true,
        }
    }

    /// Creates a result that assumes these capabilities unchecked.
    #[must_use]
    pub const fn unchecked(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            checked: false,
        }
    }
}

/// What a sink can do beyond writing, and how it distinguishes keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Sink::lookup`] works.
    pub lookup: bool,
    /// [`WriteMode::Create`] is atomic: of two writers, one gets the key and the other an error.
    pub atomic_create: bool,
    /// [`Sink::read`] and [`Sink::list`] work.
    pub read: bool,
    /// [`Sink::resume`] works.
    pub resume: bool,
    /// Keys that differ only in case are the same object.
    pub ignores_case: bool,
    /// Keys that differ only in Unicode normalization form are the same object.
    pub ignores_unicode_form: bool,
}

impl Capabilities {
    /// Nothing beyond writing.
    pub const NONE: Self = Self {
        lookup: false,
        atomic_create: false,
        read: false,
        resume: false,
        ignores_case: false,
        ignores_unicode_form: false,
    };

    /// Sets [`Capabilities::lookup`].
    #[must_use]
    pub const fn with_lookup(mut self) -> Self {
        self.lookup = true;
        self
    }

    /// Sets [`Capabilities::atomic_create`].
    #[must_use]
    pub const fn with_atomic_create(mut self) -> Self {
        self.atomic_create = true;
        self
    }

    /// Sets [`Capabilities::read`].
    #[must_use]
    pub const fn with_read(mut self) -> Self {
        self.read = true;
        self
    }

    /// Sets [`Capabilities::resume`].
    #[must_use]
    pub const fn with_resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Sets [`Capabilities::ignores_case`].
    #[must_use]
    pub const fn with_ignored_case(mut self) -> Self {
        self.ignores_case = true;
        self
    }

    /// Sets [`Capabilities::ignores_unicode_form`].
    #[must_use]
    pub const fn with_ignored_unicode_form(mut self) -> Self {
        self.ignores_unicode_form = true;
        self
    }
}

/// What to do if an object already exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteMode {
    /// Replace it atomically.
    #[default]
    Overwrite,
    /// Keep it and fail with [`SinkErrorKind::AlreadyExists`]. A sink without
    /// [`Capabilities::atomic_create`] refuses this mode with [`SinkErrorKind::Unsupported`].
    Create,
}

/// Options for writing an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenOptions {
    /// What to do if an object already exists.
    pub mode: WriteMode,
    /// The media type, for example `text/csv`, for stores that keep one.
    pub content_type: Option<String>,
    /// The number of bytes to come, if known.
    pub size_hint: Option<u64>,
    /// The metadata to keep with the object, for stores that can.
    pub metadata: Metadata,
}

impl OpenOptions {
    /// Sets the write mode.
    #[must_use]
    pub fn with_mode(mut self, mode: WriteMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the media type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the number of bytes to come.
    #[must_use]
    pub fn with_size_hint(mut self, bytes: Option<u64>) -> Self {
        self.size_hint = bytes;
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }
}

/// An object in a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// Its size in bytes.
    pub bytes: u64,
    /// The entity tag that the store gave it, if any. A writer must report the tag that
    /// [`Sink::lookup`] will report, or none: callers use it to notice that an object was replaced.
    pub etag: Option<String>,
    /// The checksum of its bytes as reported by the store, if it reports a known one.
    pub checksum: Option<Checksum>,
}

impl StoredObject {
    /// Creates an object of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self {
            bytes,
            etag: None,
            checksum: None,
        }
    }

    /// Sets the entity tag.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }

    /// Sets the checksum that the store computed. It must not be one of our own, which would be
    /// compared with itself.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Option<Checksum>) -> Self {
        self.checksum = checksum;
        self
    }
}

/// An object that is being resumed.
#[non_exhaustive]
pub struct Resumed {
    /// The writer, which continues after the kept bytes.
    pub writer: Box<dyn SinkWriter>,
    /// Reads exactly the kept bytes. The caller must check them before it writes: a machine that
    /// lost power may have kept other bytes than were written.
    pub kept: Box<dyn SinkReader>,
}

impl Resumed {
    /// Creates it from the writer and the reader of the kept bytes.
    #[must_use]
    pub fn new(writer: Box<dyn SinkWriter>, kept: Box<dyn SinkReader>) -> Self {
        Self { writer, kept }
    }
}

impl fmt::Debug for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumed").finish_non_exhaustive()
    }
}
