//! An upload that the store knows by an id.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartUpload, PutMultipartOptions, PutPayload, PutResult, UploadPart};

use super::stale_uploads::StaleUploads;

/// A created upload, whose parts can be sent concurrently.
pub(super) struct NumberedUpload {
    store: Arc<dyn MultipartStore>,
    /// Aborts the upload.
    uploads: StaleUploads,
    path: Path,
    id: String,
    /// The parts that have arrived, by number.
    parts: Arc<Mutex<BTreeMap<usize, PartId>>>,
    sent: usize,
}

impl NumberedUpload {
    /// Creates an upload at the store.
    pub(super) async fn create(
        store: Arc<dyn MultipartStore>,
        uploads: StaleUploads,
        path: Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Self> {
        let id = store.create_multipart_opts(&path, options).await?;
        Ok(Self {
            store,
            uploads,
            path,
            id,
            parts: Arc::default(),
            sent: 0,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for NumberedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberedUpload")
            .field("path", &self.path)
            .field("id", &self.id)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for NumberedUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let number = self.sent;
        self.sent += 1;
        let (store, parts) = (self.store.clone(), self.parts.clone());
        let (path, id) = (self.path.clone(), self.id.clone());
        Box::pin(async move {
            let part = store.put_part(&path, &id, number, payload).await?;
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.insert(number, part);
            Ok(())
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let parts = self
            .parts
            .lock()
            .map(|mut parts| std::mem::take(&mut *parts));
        let parts = parts.unwrap_or_else(|poisoned| std::mem::take(&mut *poisoned.into_inner()));
        if parts.len() != self.sent {
            let source = format!("{} of {} parts have arrived", parts.len(), self.sent);
            return Err(object_store::Error::Generic {
                store: "uploads",
                source: source.into(),
            });
        }
        let parts = parts.into_values().collect();
        let (path, id) = (&self.path, &self.id);
        self.store.complete_multipart(path, id, parts).await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.uploads.abort(&self.path, &self.id).await
    }
}
