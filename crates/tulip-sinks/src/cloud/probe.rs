//! Probes of a store, before it is trusted with an archive.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions, PutPayload,
};
use tracing::{debug, warn};
use tulip_core::sink::SinkError;

use super::error::{from_store, is_broken_connection};
use super::stale_uploads::StaleUploads;

/// The prefix of the names of a probe's objects.
pub(super) const PROBE: &str = ".tulip-probe";

/// A probe that creates an upload and aborts it, which leaves nothing visible.
pub(super) struct UploadProbe {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) uploads: Option<StaleUploads>,
    pub(super) path: Path,
    /// Bytes of the part that is sent. If 0, the upload is only created.
    pub(super) part: usize,
    /// The target as it is shown.
    pub(super) shown: String,
}

impl UploadProbe {
    /// Also removes the uploads of earlier probes that were killed.
    pub(super) async fn run(&self) -> Result<(), SinkError> {
        let shown = &self.shown;
        let failed = |error| from_store(error, format!("cannot write into {shown}"));
        let mut upload = self.store.put_multipart(&self.path).await.map_err(failed)?;
        let part = match self.part {
            0 => Ok(()),
            bytes => upload.put_part(vec![b'x'; bytes].into()).await,
        };
        drop_upload(upload.as_mut(), shown).await;
        if let Some(uploads) = &self.uploads
            && let Err(error) = uploads.abort_all(&self.path).await
        {
            // Not everybody may list uploads, and a probe's holds one part at most.
            let error = from_store(error, "cannot look for the uploads of earlier probes");
            debug!(sink = shown, %error, "what an earlier probe has left may stay");
        }
        part.map_err(failed)
    }
}

async fn drop_upload(upload: &mut dyn MultipartUpload, shown: &str) {
    match upload.abort().await {
        Ok(()) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => {
            let error = from_store(error, "cannot abort the upload of a probe");
            warn!(sink = shown, %error, "an unfinished upload is left in {shown}: {error}");
        }
    }
}

/// A probe of whether a store honours create-only requests.
pub(super) struct CreateOnlyProbe {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The path of an object that nobody else has.
    pub(super) path: Path,
    /// Whether a large object is copied to its path.
    pub(super) copies: bool,
    /// The target as it is shown.
    pub(super) shown: String,
}

impl CreateOnlyProbe {
    /// Creates an object twice. A store that does not refuse the second would replace an archive,
    /// too.
    pub(super) async fn run(&self) -> Result<bool, SinkError> {
        let shown = &self.shown;
        let failed = |error| from_store(error, format!("cannot write into {shown}"));
        let mut made = self.put_new().await;
        if made.as_ref().is_err_and(is_broken_connection) {
            made = self.put_new().await;
        }
        // Nobody else uses the name: if it is taken, the answer to our own put was lost.
        if refused(&made) {
            made = Ok(());
        }
        let kept = match made {
            Ok(()) => {
                let kept =
                    refused(&self.put_new().await) && refused(&self.replace_by_parts().await);
                match self.store.delete(&self.path).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => {
                        let error = failed(error);
                        let object = &self.path;
                        warn!(sink = shown, %object, %error, "could not remove {object}: {error}");
                    }
                }
                kept
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => false,
            Err(error) if error.to_string().contains("NotImplemented") => false,
            Err(error) => return Err(failed(error)),
        };
        debug!(
            sink = shown,
            kept, "tried whether create-only requests are kept"
        );
        Ok(kept)
    }

    async fn put_new(&self) -> object_store::Result<()> {
        let options = PutOptions::from(PutMode::Create);
        let put = self.store.put_opts(&self.path, PutPayload::new(), options);
        put.await.map(|_| ())
    }

    /// Tries to replace the object as the commit of a large one would.
    async fn replace_by_parts(&self) -> object_store::Result<()> {
        let (store, path) = (&self.store, &self.path);
        if self.copies {
            let options = CopyOptions::new().with_mode(CopyMode::Create);
            return store.copy_opts(path, path, options).await;
        }
        let mut upload = store.put_multipart(path).await?;
        let ended = match upload.put_part("x".into()).await {
            Ok(()) => upload.complete().await.map(|_| ()),
            Err(error) => Err(error),
        };
        if ended.is_err() {
            drop_upload(upload.as_mut(), &self.shown).await;
        }
        ended
    }
}

fn refused(result: &object_store::Result<()>) -> bool {
    matches!(
        result,
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
    )
}
