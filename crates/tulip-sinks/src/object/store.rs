//! A sink over any `object_store`.

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tulip_core::sink::{OpenOptions, SinkError, SinkErrorKind, SinkWriter, StoredObject};
use tulip_core::{Checksum, ObjectKey};

use crate::object::attributes::Kept;
use crate::object::error::from_store;
use crate::object::parts::{Buffering, Window};
use crate::object::read::KeyLister;
use crate::object::staging;
use crate::object::target::{Route, Target};
use crate::object::writer::ObjectWriter;

/// The checksum that a store computed of an object, beside the result of a put.
#[derive(Debug, Clone)]
pub(crate) struct StoreChecksum(pub(crate) Checksum);

/// Objects below a prefix of a store.
pub(crate) struct Store {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) root: Path,
    pub(crate) buffering: Buffering,
    pub(crate) window: Window,
}

impl fmt::Debug for Store {
    /// Leaves out the store: some show their credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("root", &self.root)
            .field("buffering", &self.buffering)
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: Path, buffering: Buffering) -> Self {
        Self {
            store,
            root,
            buffering,
            window: Window::new(buffering),
        }
    }

    /// The path of `key`: every segment as it is, none encoded or decoded.
    pub(crate) fn path(&self, key: &ObjectKey) -> Result<Path, SinkError> {
        self.parse(key, key.as_str())
    }

    /// A path beside `key` that no other writer has.
    pub(crate) fn staging(&self, key: &ObjectKey) -> Result<Path, SinkError> {
        let name = key.segments().last().unwrap_or_default();
        self.beside(key, &staging::name(name, fastrand::u32(..)))
    }

    /// The path of `name` beside `key`.
    pub(crate) fn beside(&self, key: &ObjectKey, name: &str) -> Result<Path, SinkError> {
        match key.as_str().rsplit_once('/') {
            Some((folder, _)) => self.parse(key, &format!("{folder}/{name}")),
            None => self.parse(key, name),
        }
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

    /// Begins an object that `store`, this one or another way to it, writes along `route`.
    pub(crate) fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        store: Arc<dyn ObjectStore>,
        route: Route,
        kept: Option<Kept>,
        location: String,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let writer = self.writer(key, options, store, route, kept, location)?;
        Ok(Box::new(writer))
    }

    pub(crate) fn writer(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
        store: Arc<dyn ObjectStore>,
        route: Route,
        kept: Option<Kept>,
        location: String,
    ) -> Result<ObjectWriter, SinkError> {
        let target = Target {
            store,
            path: self.path(key)?,
            route,
            mode: options.mode,
            kept,
            size_hint: options.size_hint,
            location,
        };
        Ok(ObjectWriter::new(
            target,
            self.buffering,
            self.window.clone(),
        ))
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

    /// Everything below the root.
    pub(crate) fn list(&self, shown: &str) -> KeyLister {
        KeyLister::new(self.store.list(Some(&self.root)), self.root.clone(), shown)
    }
}
