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

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{
    Attribute, CopyMode, CopyOptions, Error as StoreError, MultipartUpload as _, ObjectStore,
    ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use tokio::sync::OnceCell;
use tracing::{debug, warn};
use tulip_core::ObjectKey;
use tulip_core::sink::{
    Capabilities, OpenOptions, Sink, SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode,
};

use crate::object::attributes::Kept;
use crate::object::error::from_store;
use crate::object::store::Store;
use crate::object::writer::Route;

/// A bucket or container, or what lies below a prefix of one.
#[derive(Debug)]
struct CloudSink {
    scheme: &'static str,
    /// The target as people write it, without its options.
    shown: String,
    store: Store,
    create: CreateOnly,
    /// The same store by fewer retries: somebody waits for what a probe finds.
    probe: Probe,
    /// What every object gets: its storage class, metadata from options.
    kept: Kept,
}

/// How a store is asked not to replace an object.
#[derive(Debug)]
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

#[derive(Debug)]
struct Probe {
    store: Arc<dyn ObjectStore>,
    /// Beginning an upload asks the store for nothing; only a part does.
    needs_part: bool,
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

    /// Makes an object twice. A store that does not refuse the second would not refuse to replace
    /// an archive either.
    async fn try_create_only(&self) -> Result<bool, SinkError> {
        let failed = |error| from_store(error, format!("cannot write into {}", self.shown));
        let path = self.below(&format!(".tulip-probe.{:08x}", fastrand::u32(..)))?;
        let store = &self.create.store;
        let kept = match self.put_new(&path).await {
            Ok(()) => {
                let kept = refused(&self.put_new(&path).await)
                    && refused(&self.replace_by_parts(&path).await);
                if let Err(error) = store.delete(&path).await {
                    let error = failed(error);
                    warn!(sink = self.shown, object = %path, %error, "a probe stays behind");
                }
                kept
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => false,
            Err(error) if error.to_string().contains("NotImplemented") => false,
            Err(error) => return Err(failed(error)),
        };
        debug!(
            sink = self.shown,
            kept, "tried whether create-only requests are kept"
        );
        Ok(kept)
    }

    async fn put_new(&self, path: &Path) -> object_store::Result<()> {
        let options = PutOptions::from(PutMode::Create);
        let put = self.create.store.put_opts(path, PutPayload::new(), options);
        put.await.map(|_| ())
    }

    /// What the end of a large object would do.
    async fn replace_by_parts(&self, path: &Path) -> object_store::Result<()> {
        let store = &self.create.store;
        if self.create.parts_staged {
            let options = CopyOptions::new().with_mode(CopyMode::Create);
            return store.copy_opts(path, path, options).await;
        }
        let mut upload = store.put_multipart(path).await?;
        let ended = match upload.put_part("x".into()).await {
            Ok(()) => upload.complete().await.map(|_| ()),
            Err(error) => Err(error),
        };
        if ended.is_err() {
            self.drop_upload(upload.as_mut()).await;
        }
        ended
    }

    async fn drop_upload(&self, upload: &mut dyn object_store::MultipartUpload) {
        if let Err(error) = upload.abort().await {
            let error = from_store(error, "cannot abort the upload of a probe");
            warn!(sink = self.shown, %error, "an unfinished upload stays behind");
        }
    }
}

fn refused(result: &object_store::Result<()>) -> bool {
    matches!(
        result,
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
    )
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
        let capabilities = Capabilities::NONE.with_lookup();
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
    async fn probe(&self) -> Result<(), SinkError> {
        let failed = |error| from_store(error, format!("cannot write into {}", self.shown));
        let path = self.below(".tulip-probe")?;
        let mut upload = self
            .probe
            .store
            .put_multipart(&path)
            .await
            .map_err(failed)?;
        let part = match self.probe.needs_part {
            true => upload.put_part("x".into()).await,
            false => Ok(()),
        };
        self.drop_upload(upload.as_mut()).await;
        part.map_err(failed)
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
                (&self.create.store, Route::Staged { path, whole: false })
            }
            true => (&self.create.store, Route::Direct),
            false => (&self.store.store, Route::Direct),
        };
        let kept = Some(self.kept_with(options));
        let location = self.location(key);
        self.store
            .open(key, options, store.clone(), route, kept, location)
    }
}
