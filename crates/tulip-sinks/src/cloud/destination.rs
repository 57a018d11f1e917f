//! Where one object goes, and how it is committed.

use std::sync::Arc;

use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tracing::{info, warn};
use tulip_core::Checksum;
use tulip_core::sink::{Metadata, SinkError, StoredObject, WriteMode};

use super::error::{from_store, is_broken_connection};
use super::metadata::{ObjectMetadata, WriteToken};
use super::stale_uploads::StaleUploads;
use super::upload::NumberedUpload;

/// How often a put is repeated if its connection broke and it has had no effect.
const REPEATED_PUTS: usize = 2;

/// The checksum that a store computed for an object, returned with the result of a put.
#[derive(Debug, Clone)]
pub(super) struct StoreChecksum(pub(super) Checksum);

/// A client of a store.
#[derive(Clone)]
pub(super) struct StoreClient {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// The client for uploads that have an id. `None` if the store gives none.
    pub(super) uploads: Option<(Arc<dyn MultipartStore>, StaleUploads)>,
}

/// Where one object goes.
#[derive(Clone)]
pub(super) struct Destination {
    pub(super) store: StoreClient,
    /// The same store with fewer retries, to check whether an object has arrived.
    pub(super) fail_fast: Arc<dyn ObjectStore>,
    pub(super) path: Path,
    pub(super) strategy: CommitStrategy,
    pub(super) mode: WriteMode,
    metadata: ObjectMetadata,
    token: WriteToken,
    /// The announced size.
    pub(super) announced: Option<u64>,
    /// The object's address, for messages.
    pub(super) location: String,
}

/// How an object of several parts becomes visible atomically.
#[derive(Debug, Clone)]
pub(super) enum CommitStrategy {
    /// Completing the upload does it.
    Complete,
    /// The upload goes to its own name and is copied from there, under a condition that the
    /// completion of an upload does not take.
    CopyFrom(Path),
}

/// An upload that takes parts, and its id at the store.
#[derive(Debug)]
pub(super) struct PartSink {
    pub(super) upload: Box<dyn MultipartUpload>,
    pub(super) id: Option<String>,
}

impl Destination {
    pub(super) fn new(
        store: StoreClient,
        fail_fast: Arc<dyn ObjectStore>,
        path: Path,
        mut metadata: ObjectMetadata,
        location: String,
    ) -> Self {
        let token = WriteToken::new();
        metadata.set_token(&token);
        Self {
            store,
            fail_fast,
            path,
            strategy: CommitStrategy::Complete,
            mode: WriteMode::Overwrite,
            metadata,
            token,
            announced: None,
            location,
        }
    }

    /// Adds metadata. An upload that was already created no longer takes it.
    pub(super) fn annotate(&mut self, metadata: &Metadata) {
        self.metadata.add(metadata);
    }

    fn upload_path(&self) -> &Path {
        match &self.strategy {
            CommitStrategy::Complete => &self.path,
            CommitStrategy::CopyFrom(staged) => staged,
        }
    }

    /// Stores an object of one part by a single put.
    pub(super) async fn put_whole(&self, payload: PutPayload) -> Result<StoredObject, SinkError> {
        let mut repeated = 0;
        loop {
            let mut options = PutOptions::from(self.metadata.attributes());
            if self.mode == WriteMode::Create {
                options.mode = PutMode::Create;
            }
            let put = self
                .store
                .objects
                .put_opts(&self.path, payload.clone(), options);
            let bytes = payload.content_length() as u64;
            let content = Some(&payload);
            let error = match self.committed(&self.path, bytes, content, put.await).await {
                Ok(object) => return Ok(object),
                Err(error) => error,
            };
            // `object_store` does not retry a create-only put. A retry is safe: the put has had no
            // effect, or one that the next check finds.
            let repeats = self.mode == WriteMode::Create && is_broken_connection(&error);
            if !repeats || repeated == REPEATED_PUTS {
                return Err(self.failed(error));
            }
            repeated += 1;
        }
    }

    /// Creates an upload at the store.
    pub(super) async fn create_upload(&self) -> Result<PartSink, SinkError> {
        let path = self.upload_path();
        let options = PutMultipartOptions::from(self.metadata.attributes());
        let Some((store, uploads)) = self.store.uploads.clone() else {
            let upload = self.store.objects.put_multipart_opts(path, options).await;
            let upload = upload.map_err(|error| self.failed(error))?;
            return Ok(PartSink { upload, id: None });
        };
        let created = NumberedUpload::create(store, uploads, path.clone(), options).await;
        let upload = created.map_err(|error| self.failed(error))?;
        Ok(PartSink {
            id: Some(upload.id().to_owned()),
            upload: Box::new(upload),
        })
    }

    /// Completes an upload of `bytes` bytes.
    pub(super) async fn complete(
        &self,
        upload: &mut dyn MultipartUpload,
        bytes: u64,
    ) -> Result<StoredObject, SinkError> {
        let ended = upload.complete().await;
        let ended = self.committed(self.upload_path(), bytes, None, ended).await;
        ended.map_err(|error| self.failed(error))
    }

    /// Makes an object visible after its upload was completed.
    pub(super) async fn publish(&self, object: StoredObject) -> Result<StoredObject, SinkError> {
        if let CommitStrategy::CopyFrom(staged) = &self.strategy {
            self.copy_from(staged, object.bytes).await?;
        }
        // A copy has its own entity tag, and some stores give an object of parts a different one
        // than they returned for the upload. The tag that a lookup returns counts.
        let found = self.find_own(&self.path, object.bytes, None).await;
        Ok(object.with_etag(found.and_then(|found| found.etag)))
    }

    async fn copy_from(&self, staged: &Path, bytes: u64) -> Result<(), SinkError> {
        let mode = match self.mode {
            WriteMode::Create => CopyMode::Create,
            _ => CopyMode::Overwrite,
        };
        let options = CopyOptions::new().with_mode(mode);
        let copied = self
            .store
            .objects
            .copy_opts(staged, &self.path, options)
            .await;
        let copied = match copied {
            Err(error) if self.find_own(&self.path, bytes, None).await.is_none() => {
                Err(self.failed(error))
            }
            _ => Ok(()),
        };
        match self.store.objects.delete(staged).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                let error = from_store(error, "cannot remove it");
                let location = &self.location;
                warn!(location, %staged, %error, "could not remove {staged} of {location}: {error}");
            }
        }
        copied
    }

    /// Returns the outcome of a commit. The store's answer can be lost, and a retry then meets the
    /// effect of the first request, so the object decides, not the answer.
    async fn committed(
        &self,
        path: &Path,
        bytes: u64,
        content: Option<&PutPayload>,
        answer: object_store::Result<PutResult>,
    ) -> object_store::Result<StoredObject> {
        let error = match answer {
            Ok(put) => return Ok(stored(bytes, put)),
            Err(error) => error,
        };
        match self.find_own(path, bytes, content).await {
            Some(object) => {
                info!(
                    location = self.location,
                    "the store's answer was lost; it has the object"
                );
                Ok(object)
            }
            None => Err(error),
        }
    }

    /// Returns the object at `path` if this writer has sent it: it has the writer's token or, if
    /// the store keeps no metadata, exactly the bytes of `content`.
    async fn find_own(
        &self,
        path: &Path,
        bytes: u64,
        content: Option<&PutPayload>,
    ) -> Option<StoredObject> {
        let head = GetOptions::new().with_head(true);
        let found = self.fail_fast.get_opts(path, head).await.ok()?;
        if found.meta.size != bytes {
            return None;
        }
        let is_own = match (self.metadata.is_of(&self.token, &found.attributes), content) {
            (Some(is_own), _) => is_own,
            (None, Some(content)) => self.holds(path, content).await,
            (None, None) => false,
        };
        is_own.then(|| StoredObject::new(bytes).with_etag(found.meta.e_tag))
    }

    /// Whether the object at `path` has exactly these bytes.
    async fn holds(&self, path: &Path, content: &PutPayload) -> bool {
        let Ok(found) = self.fail_fast.get(path).await else {
            return false;
        };
        match found.bytes().await {
            Ok(found) => content.iter().flatten().eq(found.iter()),
            Err(_) => false,
        }
    }

    pub(super) fn failed(&self, error: object_store::Error) -> SinkError {
        let creates = self.mode == WriteMode::Create;
        let error = match error {
            object_store::Error::Precondition { path, source } if creates => {
                object_store::Error::AlreadyExists { path, source }
            }
            other => other,
        };
        from_store(error, format!("cannot write {}", self.location))
    }

    /// Returns the token by which the upload with this id is found again.
    pub(super) fn resume_token(&self, upload: Option<&str>) -> Option<String> {
        match &self.strategy {
            CommitStrategy::Complete => upload.map(str::to_owned),
            CommitStrategy::CopyFrom(staged) => Some(format!(" {staged}")),
        }
    }
}

fn stored(bytes: u64, put: PutResult) -> StoredObject {
    let checksum = put.extensions.get::<StoreChecksum>();
    StoredObject::new(bytes)
        .with_checksum(checksum.map(|checksum| checksum.0.clone()))
        .with_etag(put.e_tag)
}
