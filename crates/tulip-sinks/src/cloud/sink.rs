//! A bucket or container as a sink.

use std::fmt;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Attribute, ObjectStoreExt as _};
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, OpenOptions, Probe, Sink, SinkError, SinkErrorKind, SinkLister, SinkReader,
    SinkWriter, StaleUpload, StoredObject, WriteMode, staged_name,
};
use tulip_core::{ObjectKey, Timestamp};

use super::budget::{InFlightLimit, MemoryBudget};
use super::clients::{Clients, CreateOnlyClient, CreateRule};
use super::destination::{CommitStrategy, Destination};
use super::error::from_store;
use super::lister::KeyLister;
use super::metadata::ObjectMetadata;
use super::probe::{CreateOnlyProbe, PROBE, UploadProbe};
use super::reader::BodyReader;
use super::writer::ObjectWriter;

/// A bucket or container, or a prefix in one.
pub(super) struct CloudSink {
    scheme: &'static str,
    /// The target as written, without its options.
    shown: String,
    root: Path,
    budget: MemoryBudget,
    in_flight: InFlightLimit,
    /// The storage class and metadata that options set for every object.
    metadata: ObjectMetadata,
    clients: Clients,
    /// Whether a third-party store honours create-only requests, once that was tried.
    keeps_create_only: OnceCell<bool>,
}

impl fmt::Debug for CloudSink {
    /// Leaves out the clients: some show their credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudSink")
            .field("scheme", &self.scheme)
            .field("shown", &self.shown)
            .field("create_only", &self.clients.create_only.rule)
            .finish_non_exhaustive()
    }
}

impl CloudSink {
    pub(super) fn new(
        scheme: &'static str,
        shown: String,
        root: Path,
        budget: MemoryBudget,
        metadata: ObjectMetadata,
        clients: Clients,
    ) -> Self {
        Self {
            scheme,
            shown,
            root,
            budget,
            in_flight: InFlightLimit::new(budget),
            metadata,
            clients,
            keeps_create_only: OnceCell::new(),
        }
    }

    /// Returns the capabilities of a store with this rule.
    pub(super) fn promised(rule: CreateRule) -> Capabilities {
        let capabilities = Capabilities::NONE.with_lookup().with_read();
        match rule {
            CreateRule::Always | CreateRule::Try => capabilities.with_atomic_create(),
            CreateRule::Never => capabilities,
        }
    }

    /// The path of `key`: every segment as it is, none encoded or decoded.
    fn path(&self, key: &ObjectKey) -> Result<Path, SinkError> {
        self.parse(key.as_str())
    }

    /// Returns a path beside `key` that no other writer uses.
    fn staging(&self, key: &ObjectKey) -> Result<Path, SinkError> {
        let name = key.segments().last().unwrap_or_default();
        let name = staged_name(name, fastrand::u32(..));
        match key.as_str().rsplit_once('/') {
            Some((folder, _)) => self.parse(&format!("{folder}/{name}")),
            None => self.parse(&name),
        }
    }

    fn parse(&self, below: &str) -> Result<Path, SinkError> {
        let text = match self.root.as_ref() {
            "" => below.to_owned(),
            root => format!("{root}/{below}"),
        };
        Path::parse(text).map_err(|error| {
            let what = format!("{} cannot keep the key {below}", self.shown);
            SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
        })
    }

    /// Returns the destination of an object that is written with these options.
    fn destination(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Destination, SinkError> {
        let mut metadata = self.metadata.clone();
        if let Some(media_type) = &options.content_type {
            metadata.set(Attribute::ContentType, media_type.clone());
        }
        metadata.add(&options.metadata);
        let creates = options.mode == WriteMode::Create;
        let CreateOnlyClient { store, copies, .. } = &self.clients.create_only;
        let store = match creates {
            true => store,
            false => &self.clients.store,
        };
        let strategy = match creates && *copies {
            true => CommitStrategy::CopyFrom(self.staging(key)?),
            false => CommitStrategy::Complete,
        };
        let fail_fast = self.clients.fail_fast.clone();
        let (path, location) = (self.path(key)?, self.location(key));
        let mut destination = Destination::new(store.clone(), fail_fast, path, metadata, location);
        destination.strategy = strategy;
        destination.mode = options.mode;
        destination.announced = options.size_hint;
        Ok(destination)
    }

    /// Whether the store honours create-only requests. A third-party store is tried once.
    async fn keeps_create_only(&self) -> Result<bool, SinkError> {
        match self.clients.create_only.rule {
            CreateRule::Always => Ok(true),
            CreateRule::Never => Ok(false),
            CreateRule::Try => {
                let tried = &self.keeps_create_only;
                let tried = tried.get_or_try_init(|| self.try_create_only());
                tried.await.copied()
            }
        }
    }

    async fn try_create_only(&self) -> Result<bool, SinkError> {
        let CreateOnlyClient { store, copies, .. } = &self.clients.create_only;
        let name = format!("{}.{:08x}", PROBE, fastrand::u32(..));
        let probe = CreateOnlyProbe {
            store: store.objects.clone(),
            path: self.parse(&name)?,
            copies: *copies,
            shown: self.shown.clone(),
        };
        in_task(async move { probe.run().await }).await
    }

    /// Tries an upload with a part of at least `part` bytes, and create-only requests if `mode`
    /// uses them.
    async fn try_writing(&self, mode: WriteMode, part: usize) -> Result<Probe, SinkError> {
        let probe = UploadProbe {
            store: self.clients.fail_fast.clone(),
            uploads: self.clients.stale_uploads.clone(),
            path: self.parse(PROBE)?,
            part: part.max(usize::from(self.clients.probe_needs_part)),
            shown: self.shown.clone(),
        };
        in_task(async move { probe.run().await }).await?;
        let mut capabilities = self.capabilities();
        if mode == WriteMode::Create {
            capabilities.atomic_create = self.keeps_create_only().await?;
        }
        Ok(Probe::checked(capabilities))
    }
}

/// Runs `work` in its own task, so that it removes what it made even if this future is dropped.
async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, SinkError>> + Send + 'static,
) -> Result<T, SinkError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(from_store(error.into(), "a probe was cut off")))
}

#[async_trait]
impl Sink for CloudSink {
    fn scheme(&self) -> &str {
        self.scheme
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("{}/{key}", self.shown)
    }

    fn capabilities(&self) -> Capabilities {
        Self::promised(self.clients.create_only.rule)
    }

    async fn probe(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        self.try_writing(mode, 0).await
    }

    /// Sends a part of the real size, so that a proxy's limit for bodies shows.
    async fn check(&self, mode: WriteMode) -> Result<Probe, SinkError> {
        let part = usize::try_from(self.budget.part).unwrap_or(usize::MAX);
        self.try_writing(mode, part).await
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        match self.clients.store.objects.head(&self.path(key)?).await {
            Ok(meta) => Ok(Some(StoredObject::new(meta.size).with_etag(meta.e_tag))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => {
                let what = format!("cannot look up {}", self.location(key));
                Err(from_store(error, what))
            }
        }
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        if let Some(announced) = options.size_hint {
            self.budget.admit(announced, &self.location(key))?;
        }
        if options.mode == WriteMode::Create && !self.keeps_create_only().await? {
            let what = format!(
                "{} does not keep create-only requests, so an object could be replaced unseen",
                self.shown
            );
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        let destination = self.destination(key, options)?;
        let in_flight = self.in_flight.clone();
        Ok(Box::new(ObjectWriter::new(
            destination,
            self.budget,
            in_flight,
        )))
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let location = self.location(key);
        match self.clients.store.objects.get(&self.path(key)?).await {
            Ok(object) => Ok(Some(Box::new(BodyReader::new(object, location)))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(from_store(error, format!("cannot read {location}"))),
        }
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        let lister = self.clients.lister.clone();
        Ok(Box::new(KeyLister::new(
            lister,
            self.root.clone(),
            &self.shown,
        )))
    }

    async fn discard(&self, key: &ObjectKey, left: &StaleUpload) -> Result<(), SinkError> {
        let Some(uploads) = &self.clients.stale_uploads else {
            return Ok(());
        };
        let location = self.location(key);
        uploads.discard(&self.path(key)?, left, &location).await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        match &self.clients.stale_uploads {
            Some(uploads) => uploads.sweep(&self.root, before, &self.shown).await,
            None => Ok(0),
        }
    }
}
