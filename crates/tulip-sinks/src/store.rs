//! A sink over any `object_store`.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tulip_core::ObjectKey;
use tulip_core::sink::{OpenOptions, SinkError, SinkErrorKind, SinkWriter, StoredObject};

use crate::error::from_store;
use crate::staging;
use crate::writer::{Buffering, ObjectWriter, Target};

/// Objects below a prefix of a store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) root: Path,
    pub(crate) buffering: Buffering,
}

impl Store {
    /// The path of `key`: every segment as it is, none encoded or decoded.
    fn path(&self, key: &ObjectKey) -> Result<Path, SinkError> {
        self.parse(key, key.as_str())
    }

    fn parse(&self, key: &ObjectKey, below: &str) -> Result<Path, SinkError> {
        let text = match self.root.as_ref() {
            "" => below.to_owned(),
            root => format!("{root}/{below}"),
        };
        Path::parse(text).map_err(|error| {
            let what = format!("the store cannot keep the key {key}");
            SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
        })
    }

    pub(crate) fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        location: String,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let (folder, name) = match key.as_str().rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}/"), name),
            None => (String::new(), key.as_str()),
        };
        let staging = format!("{folder}{}", staging::name(name, fastrand::u32(..)));
        let target = Target {
            store: self.store.clone(),
            path: self.path(key)?,
            staging: self.parse(key, &staging)?,
            mode: options.mode,
            location,
        };
        Ok(Box::new(ObjectWriter::new(target, self.buffering)))
    }

    pub(crate) async fn lookup(
        &self,
        key: &ObjectKey,
        location: &str,
    ) -> Result<Option<StoredObject>, SinkError> {
        match self.store.head(&self.path(key)?).await {
            Ok(meta) => Ok(Some(StoredObject::new(meta.size).with_etag(meta.e_tag))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(from_store(error, format!("cannot look up {location}"))),
        }
    }
}
