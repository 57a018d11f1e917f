//! [`Sink`] and [`SinkWriter`].

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::{SinkError, SinkErrorKind, SinkLister, SinkReader, StaleUpload};
use crate::{Checksum, ObjectKey, Timestamp};

/// What a store keeps beside an object, by name: `tulip-job`, `tulip-machine`, `tulip-checksum`.
/// Names are lower case ASCII letters, digits and hyphens, as HTTP headers want them; values are
/// any text.
pub type Metadata = BTreeMap<String, String>;

/// Chunks that an export writes lie in memory as in the object: the address of a chunk and its
/// offset in the object are equal modulo this many bytes, except of small pieces and the last
/// chunk. A sink can use it to hand chunks to a disk without a copy. It is a hint for speed: no
/// sink may need it.
pub const CHUNK_ALIGNMENT: usize = 4096;

/// A place where archives are kept.
///
/// What an implementation promises:
/// - Nothing can be seen under a key before [`SinkWriter::close`] has returned, and the object
///   that was there before stays whole until then.
/// - Writers for different keys do not mix, however many are open at once.
/// - Memory per writer is bounded, whatever the object's size.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// The URL scheme under which this sink is known, for receipts and messages.
    fn scheme(&self) -> &str;

    /// Where the object of `key` lies, to be shown: a path or URL without any secret.
    fn location(&self, key: &ObjectKey) -> String;

    /// What this sink can do beyond writing: what it promises, the same at any time. What a store
    /// turns out not to keep, [`Sink::probe`] tells. By default nothing.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Checks, before anything is started or downloaded, that objects can be written: that the
    /// place exists, answers, and lets us in. Reports what the store can really do there, which
    /// can be less than [`Sink::capabilities`] promises. `mode` is how objects will be opened:
    /// [`WriteMode::Create`] has to be tried only where it will be used. By default nothing is
    /// checked.
    ///
    /// # Errors
    /// [`SinkError`] saying what stands in the way.
    async fn probe(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        let _ = mode;
        Ok(Probe::unchecked(self.capabilities()))
    }

    /// Like [`Sink::probe`], but also sends a part of real size, to find limits such as the largest
    /// body that a proxy accepts. `tulip sinks check` uses it. It may send megabytes, and leaves
    /// nothing. By default it is the probe.
    ///
    /// # Errors
    /// As [`Sink::probe`].
    async fn check(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        self.probe(mode).await
    }

    /// The object that is stored under `key`, or `None`. Needs [`Capabilities::lookup`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise what kept the sink from looking.
    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        Err(unsupported(self.scheme(), format!("look up {key}")))
    }

    /// Reads the object that is stored under `key`, or gives `None` where there is none. Needs
    /// [`Capabilities::read`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise what kept the sink from reading.
    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        Err(unsupported(self.scheme(), format!("read {key}")))
    }

    /// Lists every object below the sink's root, in no particular order. Staged objects are left
    /// out. What cannot be looked at, or has a name that is no key, is reported as skipped. Needs
    /// [`Capabilities::read`].
    ///
    /// # Errors
    /// [`SinkErrorKind::Unsupported`] by default; otherwise what kept the sink from listing.
    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        Err(unsupported(self.scheme(), "list what it holds".to_owned()))
    }

    /// Opens an object under `key` for writing. Nothing is staged before the first write, so that
    /// the caller can record the object, and the writer's token if it has one, before there is
    /// anything to remove.
    ///
    /// # Errors
    /// [`SinkError`] when the object cannot be opened; [`SinkErrorKind::AlreadyExists`] where
    /// `options` ask for a new object and one is known to be there; [`SinkErrorKind::Unsupported`]
    /// where they ask for that and the store does not keep it; [`SinkErrorKind::TooLarge`] where
    /// the announced size is more than the sink can hold.
    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError>;

    /// Resumes an object of which an earlier writer has left the first `bytes` bytes, as its
    /// [`SinkWriter::checkpoint`] had reported. Gives `None` where they are no longer there. Needs
    /// [`Capabilities::resume`].
    ///
    /// # Errors
    /// As [`Sink::open`]. [`SinkErrorKind::Unsupported`] by default.
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

    /// Removes what an earlier writer of `key` has left: a staged file, an unfinished upload. That
    /// nothing is left (any more) is no error. By default there is never anything.
    ///
    /// # Errors
    /// [`SinkError`] when something stays; its message says what. [`SinkErrorKind::Unsupported`]
    /// if it cannot be found without a resume token.
    async fn discard(&self, key: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        let _ = (key, left);
        Ok(())
    }

    /// Removes what any writer has staged below the root before `before` and not removed, and
    /// returns how many items that was. By default there is never anything.
    ///
    /// # Errors
    /// [`SinkError`] when something stays, or could not be looked for.
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
/// Dropping a writer, also inside one of its futures, leaves nothing visible under the key. What
/// it leaves elsewhere (a staging file, an unfinished upload) is the implementation's to remove
/// where a drop allows that, unless [`SinkWriter::checkpoint`] has asked for it to be kept;
/// [`SinkWriter::abort`] always does.
#[async_trait]
pub trait SinkWriter: Send {
    /// Takes one chunk. When it returns, the whole chunk has been accepted, in order, and the
    /// sink is ready for the next: a slow sink delays here, and so slows the download. An empty
    /// chunk is allowed and changes nothing.
    ///
    /// # Errors
    /// [`SinkError`]; the object is lost then, and every later call fails too.
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError>;

    /// A resume token: by it [`Sink::resume`] and [`Sink::discard`] find what this writer has made
    /// so far, should its process end now. The caller asks for it after [`Sink::open`] and after
    /// every write and stores it, so it is cheap and holds no secret. `None`, as by default, as
    /// long as nothing would be left.
    fn resume_token(&self) -> Option<String> {
        None
    }

    /// Whether nothing is staged before [`SinkWriter::close`], because the object is so small by
    /// its [size hint](OpenOptions::size_hint) that it goes to the store as a whole. The caller
    /// then need not record it before. `false` by default.
    fn stages_on_close(&self) -> bool {
        false
    }

    /// Makes all that has been written available to [`Sink::resume`] in another process, and
    /// returns how many bytes that is. From then on a drop keeps them. `None`, as by default, where
    /// the sink cannot do that; what was in flight has arrived all the same.
    ///
    /// # Errors
    /// As [`SinkWriter::write`].
    async fn checkpoint(&mut self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    /// Adds metadata that only became known while the object was written, such as its checksum.
    /// Called at most once, before [`SinkWriter::close`]. By default it is ignored, as is right
    /// for a store that keeps none, or that takes it only at the beginning.
    fn annotate(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// Makes the object visible, whole, and durable as far as the store goes.
    ///
    /// # Errors
    /// [`SinkError`]; nothing new is visible then, except where the store's answer was lost.
    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError>;

    /// Removes what has been written.
    ///
    /// # Errors
    /// [`SinkError`] when something was left behind; its message says what.
    async fn abort(self: Box<Self>) -> Result<(), SinkError>;
}

/// What [`Sink::probe`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What the store can do there. It stays so for as long as the sink lives.
    pub capabilities: Capabilities,
    /// Whether anything was checked: a sink without a probe of its own only assumes.
    pub checked: bool,
}

impl Probe {
    /// The store was tried, and has these capabilities.
    #[must_use]
    pub const fn checked(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            checked: true,
        }
    }

    /// Nothing was tried; these capabilities are assumed.
    #[must_use]
    pub const fn unchecked(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            checked: false,
        }
    }
}

/// What a sink can do beyond writing, and how it tells keys apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Sink::lookup`] works.
    pub lookup: bool,
    /// [`WriteMode::Create`] is atomic: of two writers, one gets the key, the other an error.
    pub atomic_create: bool,
    /// [`Sink::read`] and [`Sink::list`] work.
    pub read: bool,
    /// [`Sink::resume`] works.
    pub resume: bool,
    /// Keys that differ only in the case of letters are the same object.
    pub ignores_case: bool,
    /// Keys that are the same text in different Unicode normalization forms are the same object.
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

    /// The same capabilities with [`Capabilities::lookup`].
    #[must_use]
    pub const fn with_lookup(mut self) -> Self {
        self.lookup = true;
        self
    }

    /// The same capabilities with [`Capabilities::atomic_create`].
    #[must_use]
    pub const fn with_atomic_create(mut self) -> Self {
        self.atomic_create = true;
        self
    }

    /// The same capabilities with [`Capabilities::read`].
    #[must_use]
    pub const fn with_read(mut self) -> Self {
        self.read = true;
        self
    }

    /// The same capabilities with [`Capabilities::resume`].
    #[must_use]
    pub const fn with_resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// The same capabilities with [`Capabilities::ignores_case`].
    #[must_use]
    pub const fn with_ignored_case(mut self) -> Self {
        self.ignores_case = true;
        self
    }

    /// The same capabilities with [`Capabilities::ignores_unicode_form`].
    #[must_use]
    pub const fn with_ignored_unicode_form(mut self) -> Self {
        self.ignores_unicode_form = true;
        self
    }
}

/// What to do with an object that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteMode {
    /// Replace it, at once and whole.
    #[default]
    Overwrite,
    /// Leave it and fail with [`SinkErrorKind::AlreadyExists`]. A sink without
    /// [`Capabilities::atomic_create`] refuses this with [`SinkErrorKind::Unsupported`].
    Create,
}

/// How to write an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenOptions {
    /// What to do with an object that is there already.
    pub mode: WriteMode,
    /// The media type, for example `text/csv`, for stores that keep one.
    pub content_type: Option<String>,
    /// How many bytes will come, where that is known.
    pub size_hint: Option<u64>,
    /// What is to be kept beside the object, by stores that can.
    pub metadata: Metadata,
}

impl OpenOptions {
    /// The same options with `mode`.
    #[must_use]
    pub fn with_mode(mut self, mode: WriteMode) -> Self {
        self.mode = mode;
        self
    }

    /// The same options with a media type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The same options with the number of bytes to come.
    #[must_use]
    pub fn with_size_hint(mut self, bytes: Option<u64>) -> Self {
        self.size_hint = bytes;
        self
    }

    /// The same options with metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }
}

/// An object that a sink keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// Its size in bytes.
    pub bytes: u64,
    /// The entity tag that the store gave it, if it gives any. A writer must tell the one that
    /// [`Sink::lookup`] will tell, or none: by it an object is told from one that replaced it.
    pub etag: Option<String>,
    /// The checksum of its bytes by the store's own account, if it gives any that is known here.
    pub checksum: Option<Checksum>,
}

impl StoredObject {
    /// An object of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self {
            bytes,
            etag: None,
            checksum: None,
        }
    }

    /// The same object with its entity tag.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }

    /// The same object with the checksum that the store computed: never one of our own, which
    /// would be compared with itself.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Option<Checksum>) -> Self {
        self.checksum = checksum;
        self
    }
}

/// An object that is being resumed.
#[non_exhaustive]
pub struct Resumed {
    /// Writes after the bytes that are kept.
    pub writer: Box<dyn SinkWriter>,
    /// Reads exactly the bytes that are kept. What they are is for the caller to check, before it
    /// writes: a machine that lost its power may have kept others than were written.
    pub kept: Box<dyn SinkReader>,
}

impl Resumed {
    /// An object by what writes it and what reads the bytes that are kept.
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
