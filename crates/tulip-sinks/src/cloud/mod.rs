//! Object stores in clouds and what speaks their protocols.

pub(crate) mod answer;
#[cfg(feature = "azure")]
mod azure;
mod common;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod s3;
mod service;
mod trial;
#[cfg_attr(
    not(any(feature = "s3", feature = "gcs")),
    expect(dead_code, reason = "Azure ends unfinished uploads by itself")
)]
mod uploads;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Attribute, ObjectStore, ObjectStoreExt as _};
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, Leftover, OpenOptions, Sink, SinkError, SinkErrorKind, SinkLister, SinkReader,
    SinkWriter, StoredObject, WriteMode,
};
use tulip_core::{ObjectKey, Timestamp, sink};

use crate::object::attributes::Kept;
use crate::object::error::from_store;
use crate::object::read::BodyReader;
use crate::object::staging;
use crate::object::store::Store;
use crate::object::target::Route;
use trial::Trial;
use uploads::Uploads;

/// A bucket or container, or what lies below a prefix of one.
struct CloudSink {
    scheme: &'static str,
    /// The target as people write it, without its options.
    shown: String,
    store: Store,
    create: CreateOnly,
    /// The same store by fewer retries: somebody waits for what a probe finds.
    probe: Probe,
    /// Uploads that nobody has ended; `None` where the store sees to them by itself.
    uploads: Option<Uploads>,
    /// What every object gets: its storage class, metadata from options.
    kept: Kept,
}

/// How a store is asked not to replace an object.
struct CreateOnly {
    rule: CreateRule,
    /// The store, on a way that makes the end of an upload create-only.
    store: Arc<dyn ObjectStore>,
    /// Parts are gathered under another name and copied, because the end of an upload cannot be
    /// made create-only.
    parts_staged: bool,
    /// What a trial has shown.
    kept: OnceCell<bool>,
}

/// Whether a store keeps create-only requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CreateRule {
    Always,
    Never,
    /// Some that speak the protocol ignore the condition and replace the object: it is tried.
    Try,
}

struct Probe {
    store: Arc<dyn ObjectStore>,
    /// Beginning an upload asks the store for nothing; only a part does.
    needs_part: bool,
}

impl fmt::Debug for CloudSink {
    /// Leaves out the stores: some show their credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudSink")
            .field("scheme", &self.scheme)
            .field("shown", &self.shown)
            .field("create", &self.create.rule)
            .finish_non_exhaustive()
    }
}

impl CloudSink {
    fn below(&self, name: &str) -> Result<Path, SinkError> {
        let key = ObjectKey::new(name).map_err(|error| {
            let what = format!("no object can be named in {}", self.shown);
            SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
        })?;
        self.store.path(&key)
    }

    fn kept_with(&self, options: &OpenOptions) -> Kept {
        let mut kept = self.kept.clone();
        if let Some(media_type) = &options.content_type {
            kept.set(Attribute::ContentType, media_type.clone());
        }
        kept.add(&options.metadata);
        kept
    }

    async fn keeps_create_only(&self) -> Result<bool, SinkError> {
        match self.create.rule {
            CreateRule::Always => Ok(true),
            CreateRule::Never => Ok(false),
            CreateRule::Try => {
                let tried = self.create.kept.get_or_try_init(|| self.try_create_only());
                tried.await.copied()
            }
        }
    }

    /// Tries it in a task of its own, which takes back what it has made also when nobody waits for it
    /// any more.
    async fn try_create_only(&self) -> Result<bool, SinkError> {
        let name = format!("{}.{:08x}", staging::PROBE, fastrand::u32(..));
        let trial = Trial {
            store: self.create.store.clone(),
            path: self.below(&name)?,
            parts_staged: self.create.parts_staged,
            shown: self.shown.clone(),
        };
        in_task(async move { trial.run().await }).await
    }
}

/// Runs `work` to its end, whether or not somebody still waits for it.
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

    /// Whether a store of somebody else's keeps create-only requests is known once one has been
    /// tried, by the first object that is opened so.
    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::NONE.with_lookup().with_read();
        let kept = match self.create.rule {
            CreateRule::Always => true,
            CreateRule::Never => false,
            CreateRule::Try => self.create.kept.get().copied().unwrap_or(true),
        };
        match kept {
            true => capabilities.with_atomic_create(),
            false => capabilities,
        }
    }

    /// Begins an upload and gives it up, which leaves nothing that anybody could see.
    async fn probe(&self, mode: WriteMode) -> Result<sink::Probe, SinkError> {
        let store = self.probe.store.clone();
        let needs_part = self.probe.needs_part;
        let path = self.below(staging::PROBE)?;
        let shown = self.shown.clone();
        let uploads = self.uploads.clone();
        in_task(async move {
            trial::begin_upload(store, uploads.as_ref(), &path, needs_part, &shown).await
        })
        .await?;
        if mode == WriteMode::Create {
            self.keeps_create_only().await?;
        }
        Ok(sink::Probe::checked(self.capabilities()))
    }

    async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, SinkError> {
        self.store.lookup(key, &self.location(key)).await
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let creates = options.mode == WriteMode::Create;
        if creates && !self.keeps_create_only().await? {
            let what = format!(
                "{} does not keep create-only requests, so an object could be replaced unseen",
                self.shown
            );
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        let (store, route) = match creates {
            true if self.create.parts_staged => {
                let path = self.store.staging(key)?;
                (&self.create.store, Route::Staged(path))
            }
            true => (&self.create.store, Route::Direct),
            false => (&self.store.store, Route::Direct),
        };
        let kept = Some(self.kept_with(options));
        let location = self.location(key);
        self.store
            .open(key, options, store.clone(), route, kept, location)
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Box<dyn SinkReader>>, SinkError> {
        let location = self.location(key);
        match self.store.store.get(&self.store.path(key)?).await {
            Ok(object) => Ok(Some(Box::new(BodyReader::new(object, location)))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(from_store(error, format!("cannot read {location}"))),
        }
    }

    async fn list(&self) -> Result<Box<dyn SinkLister>, SinkError> {
        Ok(Box::new(self.store.list(&self.shown)))
    }

    async fn discard(&self, key: &ObjectKey, left: &Leftover) -> Result<(), SinkError> {
        match &self.uploads {
            Some(uploads) => {
                let location = self.location(key);
                uploads
                    .discard(&self.store.path(key)?, left, &location)
                    .await
            }
            None => Ok(()),
        }
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, SinkError> {
        match &self.uploads {
            Some(uploads) => uploads.sweep(&self.store.root, before, &self.shown).await,
            None => Ok(0),
        }
    }
}
