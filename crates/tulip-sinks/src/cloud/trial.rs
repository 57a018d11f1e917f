//! What is tried on a store before it is trusted with an archive.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error as StoreError, MultipartUpload, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions, PutPayload,
};
use tracing::{debug, warn};
use tulip_core::sink::SinkError;

use super::uploads::Uploads;
use crate::object::error::from_store;

/// Begins an upload, sends a part where beginning alone asks the store for nothing, and gives it up,
/// and with it those that earlier probes were killed in.
pub(super) async fn begin_upload(
    store: Arc<dyn ObjectStore>,
    uploads: Option<&Uploads>,
    path: &Path,
    needs_part: bool,
    shown: &str,
) -> Result<(), SinkError> {
    let failed = |error| from_store(error, format!("cannot write into {shown}"));
    let mut upload = store.put_multipart(path).await.map_err(failed)?;
    let part = match needs_part {
        true => upload.put_part("x".into()).await,
        false => Ok(()),
    };
    drop_upload(upload.as_mut(), shown).await;
    if let Some(uploads) = uploads
        && let Err(error) = uploads.abort_all(path).await
    {
        // Not everybody may list uploads, and those of probes are empty.
        let error = from_store(error, "cannot look for the uploads of earlier probes");
        debug!(sink = shown, %error, "what an earlier probe has left may stay");
    }
    part.map_err(failed)
}

async fn drop_upload(upload: &mut dyn MultipartUpload, shown: &str) {
    if let Err(error) = upload.abort().await {
        let error = from_store(error, "cannot abort the upload of a probe");
        warn!(sink = shown, %error, "an unfinished upload stays behind");
    }
}

/// Whether a store keeps create-only requests.
pub(super) struct Trial {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Of an object that nobody has.
    pub(super) path: Path,
    pub(super) parts_staged: bool,
    /// For people.
    pub(super) shown: String,
}

impl Trial {
    /// Makes an object twice. A store that does not refuse the second would not refuse to replace
    /// an archive either.
    pub(super) async fn run(&self) -> Result<bool, SinkError> {
        let shown = &self.shown;
        let failed = |error| from_store(error, format!("cannot write into {shown}"));
        let kept = match self.put_new().await {
            Ok(()) => {
                let kept =
                    refused(&self.put_new().await) && refused(&self.replace_by_parts().await);
                if let Err(error) = self.store.delete(&self.path).await {
                    let error = failed(error);
                    warn!(sink = shown, object = %self.path, %error, "a probe stays behind");
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

    /// What the end of a large object would do.
    async fn replace_by_parts(&self) -> object_store::Result<()> {
        let (store, path) = (&self.store, &self.path);
        if self.parts_staged {
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
