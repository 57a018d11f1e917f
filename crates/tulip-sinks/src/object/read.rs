//! What a store gives back.

use std::fmt;

use async_trait::async_trait;
#[cfg(feature = "_cloud")]
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::ObjectMeta;
use object_store::path::Path;
use tulip_core::ObjectKey;
#[cfg(feature = "_cloud")]
use tulip_core::sink::SinkReader;
use tulip_core::sink::{Listed, SinkError, SinkLister};

use crate::object::error::from_store;
use crate::object::staging;

/// The body of an object.
#[cfg(feature = "_cloud")]
pub(crate) struct BodyReader {
    body: BoxStream<'static, object_store::Result<Bytes>>,
    location: String,
}

#[cfg(feature = "_cloud")]
impl BodyReader {
    pub(crate) fn new(object: object_store::GetResult, location: String) -> Self {
        Self {
            body: object.into_stream(),
            location,
        }
    }
}

#[cfg(feature = "_cloud")]
#[async_trait]
impl SinkReader for BodyReader {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        loop {
            match self.body.next().await.transpose() {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(chunk) => return Ok(chunk),
                Err(error) => {
                    return Err(from_store(error, format!("cannot read {}", self.location)));
                }
            }
        }
    }
}

/// The keys below a root.
pub(crate) struct KeyLister {
    objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
    root: Path,
    shown: String,
}

impl KeyLister {
    pub(crate) fn new(
        objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
        root: Path,
        shown: &str,
    ) -> Self {
        Self {
            objects,
            root,
            shown: shown.to_owned(),
        }
    }

    /// The key of an object, unless it is none of an export's.
    fn key(&self, path: &Path) -> Option<ObjectKey> {
        let name = path.filename()?;
        if staging::is_staged(name) || name.starts_with(staging::PROBE) {
            return None;
        }
        let below = match self.root.as_ref() {
            "" => path.as_ref(),
            root => path.as_ref().strip_prefix(root)?.strip_prefix('/')?,
        };
        // What would be normalised is not the name of something that an export wrote.
        ObjectKey::new(below)
            .ok()
            .filter(|key| key.as_str() == below)
    }
}

#[async_trait]
impl SinkLister for KeyLister {
    async fn next(&mut self) -> Result<Option<Listed>, SinkError> {
        while let Some(object) = self.objects.next().await {
            let object =
                object.map_err(|error| from_store(error, format!("cannot list {}", self.shown)))?;
            if let Some(key) = self.key(&object.location) {
                return Ok(Some(Listed::Key(key)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for KeyLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLister")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
