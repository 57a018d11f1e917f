//! Where an object goes: as a whole, or in parts that an upload or a file takes.

use std::sync::{Arc, OnceLock};

use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
};
use tracing::warn;
use tulip_core::sink::{SinkError, StoredObject, WriteMode};

use crate::object::attributes::Kept;
use crate::object::error::from_store;
use crate::object::store::StoreChecksum;

/// Where an object goes.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) route: Route,
    pub(crate) mode: WriteMode,
    /// What the store keeps beside the object; `None` where it keeps nothing.
    pub(crate) kept: Option<Kept>,
    pub(crate) size_hint: Option<u64>,
    /// For people.
    pub(crate) location: String,
}

/// How an object becomes visible at once and whole.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// The store does it: nothing can be seen of a put or an upload before its end.
    #[cfg(feature = "_cloud")]
    Direct,
    /// Parts are gathered under a name of their own, then renamed. What is put whole is not.
    #[cfg(feature = "_cloud")]
    Staged(Path),
}

impl Target {
    fn staging_of_parts(&self) -> Option<&Path> {
        match &self.route {
            #[cfg(feature = "_cloud")]
            Route::Direct => None,
            #[cfg(feature = "_cloud")]
            Route::Staged(path) => Some(path),
        }
    }

    fn attributes(&self) -> Attributes {
        self.kept.as_ref().map(Kept::attributes).unwrap_or_default()
    }

    pub(super) async fn put_whole(&self, payload: PutPayload) -> Result<StoredObject, SinkError> {
        let bytes = payload.content_length() as u64;
        let mut options = PutOptions::from(self.attributes());
        if self.mode == WriteMode::Create {
            options.mode = PutMode::Create;
        }
        let put = self.store.put_opts(&self.path, payload, options).await;
        Ok(stored(bytes, put.map_err(|error| self.failed(error))?))
    }

    pub(super) async fn begin_parts(&self, id: &UploadId) -> Result<Parts, SinkError> {
        let failed = |error| self.failed(error);
        let path = self.staging_of_parts().unwrap_or(&self.path);
        let mut options = PutMultipartOptions::from(self.attributes());
        options.extensions.insert(id.clone());
        let begun = self.store.put_multipart_opts(path, options).await;
        begun.map(Parts::Store).map_err(failed)
    }

    /// Gives what is staged whole its name.
    pub(super) async fn publish(
        &self,
        bytes: u64,
        put: Option<PutResult>,
    ) -> Result<StoredObject, SinkError> {
        let object = put.map_or(StoredObject::new(bytes), |put| stored(bytes, put));
        let Some(staging) = self.staging_of_parts() else {
            return Ok(object);
        };
        let mode = match self.mode {
            WriteMode::Create => RenameTargetMode::Create,
            _ => RenameTargetMode::Overwrite,
        };
        let options = RenameOptions::new().with_target_mode(mode);
        let renamed = self.store.rename_opts(staging, &self.path, options).await;
        let error = match renamed {
            Ok(()) => return Ok(object),
            Err(error) => error,
        };
        if let Err(left) = self.store.delete(staging).await {
            let error = from_store(left, "it cannot be removed");
            warn!(location = self.location, %staging, %error, "a staged object stays behind");
        }
        Err(self.failed(error))
    }

    /// By what an upload with this id is found again.
    pub(super) fn trace(&self, upload: Option<&str>) -> Option<String> {
        match (&self.route, upload) {
            #[cfg(feature = "_cloud")]
            (Route::Direct, upload) => upload.map(str::to_owned),
            #[cfg(feature = "_cloud")]
            (Route::Staged(path), _) => Some(format!(" {path}")),
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
}

/// The id that a store gives an upload, once it has answered; it travels with the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadId(Arc<OnceLock<String>>);

impl UploadId {
    #[cfg(feature = "_cloud")]
    pub(crate) fn set(&self, id: &str) {
        // A request that was sent twice has begun two uploads, of which the last is used.
        let _ = self.0.set(id.to_owned());
    }

    pub(super) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

fn stored(bytes: u64, put: PutResult) -> StoredObject {
    let checksum = put.extensions.get::<StoreChecksum>();
    StoredObject::new(bytes)
        .with_checksum(checksum.map(|checksum| checksum.0.clone()))
        .with_etag(put.e_tag)
}

/// Who takes the parts.
#[derive(Debug)]
pub(super) enum Parts {
    Store(Box<dyn MultipartUpload>),
}

impl Parts {
    pub(super) fn upload(&mut self) -> &mut dyn MultipartUpload {
        match self {
            Self::Store(upload) => upload,
        }
    }
}
