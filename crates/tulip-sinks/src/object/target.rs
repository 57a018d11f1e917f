//! Where an object goes: as a whole, or in parts that an upload or a file takes.

use std::sync::{Arc, OnceLock};

use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
};
use tracing::warn;
use tulip_core::sink::{SinkError, StoredObject, WriteMode};

#[cfg(feature = "fs")]
use crate::fs::FileUpload;
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
    #[cfg(any())]
    Direct,
    /// Parts are gathered under a name of their own, then renamed. What is put whole is not.
    #[cfg(any())]
    Staged(Path),
    /// A local file is written under a name of its own by us, then renamed.
    #[cfg(feature = "fs")]
    File {
        /// The staged name, as the store has it.
        staged: Path,
        /// The same as the system has it.
        file: std::path::PathBuf,
    },
}

impl Target {
    fn staging_of_parts(&self) -> Option<&Path> {
        match &self.route {
            #[cfg(any())]
            Route::Direct => None,
            #[cfg(any())]
            Route::Staged(path) => Some(path),
            #[cfg(feature = "fs")]
            Route::File { staged, .. } => Some(staged),
        }
    }

    /// What is unfinished, where that is a file: it sees to itself when it is dropped.
    #[cfg(feature = "fs")]
    fn file(&self) -> Option<&std::path::Path> {
        match &self.route {
            Route::File { file, .. } => Some(file),
            #[cfg(any())]
            _ => None,
        }
    }

    pub(super) fn is_file(&self) -> bool {
        #[cfg(feature = "fs")]
        return self.file().is_some();
        #[cfg(not(feature = "fs"))]
        false
    }

    fn attributes(&self) -> Attributes {
        self.kept.as_ref().map(Kept::attributes).unwrap_or_default()
    }

    pub(super) async fn put_whole(&self, payload: PutPayload) -> Result<StoredObject, SinkError> {
        let bytes = payload.content_length() as u64;
        #[cfg(feature = "fs")]
        if let Some(file) = self.file() {
            let put = FileUpload::put(file.to_owned(), payload).await;
            put.map_err(|error| self.failed(error))?;
            return self.publish(bytes, None).await;
        }
        let mut options = PutOptions::from(self.attributes());
        if self.mode == WriteMode::Create {
            options.mode = PutMode::Create;
        }
        let put = self.store.put_opts(&self.path, payload, options).await;
        Ok(stored(bytes, put.map_err(|error| self.failed(error))?))
    }

    pub(super) async fn begin_parts(&self, id: &UploadId) -> Result<Parts, SinkError> {
        let failed = |error| self.failed(error);
        #[cfg(feature = "fs")]
        if let Some(file) = self.file() {
            let begun = FileUpload::create(file.to_owned()).await;
            return begun.map(Parts::File).map_err(failed);
        }
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
        let renamed = match self.is_file() {
            // The entity tag of a file stays the same when it is renamed.
            true => self.store.head(staging).await.map(|meta| meta.e_tag),
            false => Ok(object.etag.clone()),
        };
        let renamed = match renamed {
            Ok(etag) => {
                let renamed = self.store.rename_opts(staging, &self.path, options).await;
                renamed.map(|()| object.with_etag(etag))
            }
            Err(error) => Err(error),
        };
        let error = match renamed {
            Ok(object) => return Ok(object),
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
            #[cfg(any())]
            (Route::Direct, upload) => upload.map(str::to_owned),
            #[cfg(any())]
            (Route::Staged(path), _) => Some(format!(" {path}")),
            #[cfg(feature = "fs")]
            (Route::File { staged, .. }, _) => staged.filename().map(str::to_owned),
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
    #[cfg(any())]
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
    #[cfg(feature = "fs")]
    File(FileUpload),
}

impl Parts {
    pub(super) fn upload(&mut self) -> &mut dyn MultipartUpload {
        match self {
            Self::Store(upload) => upload,
            #[cfg(feature = "fs")]
            Self::File(upload) => upload,
        }
    }
}
