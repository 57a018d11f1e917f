//! Reading from a sink: the bytes of an object, and the keys of all objects.

use async_trait::async_trait;
use bytes::Bytes;

use super::SinkError;
use crate::ObjectKey;

/// An object being read, from its first byte to its last.
///
/// # Cancellation
/// Reading changes nothing, so every future here can be dropped at any time; the reader is then no
/// longer usable.
#[async_trait]
pub trait SinkReader: Send {
    /// Returns the next bytes, in order, or `None` after the last. A chunk is never empty. Its size
    /// is not limited, but the caller holds it in memory: built-in sinks return at most 1 MiB.
    ///
    /// # Errors
    /// [`SinkError`]; the bytes read until then are not a whole object.
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError>;
}

/// One entry of a list.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listed {
    /// The key of an object.
    Key(ObjectKey),
    /// Something that cannot be inspected or has no valid key, such as a folder without read
    /// permission. Objects in it are missing from the list; all others are listed.
    #[non_exhaustive]
    Skipped {
        /// Its location, safe to show: without secrets and control characters.
        location: String,
        /// Why it was skipped, as a whole sentence that names the location.
        reason: SinkError,
    },
}

impl Listed {
    /// Creates a skipped entry.
    pub fn skipped(location: impl Into<String>, reason: SinkError) -> Self {
        Self::Skipped {
            location: location.into(),
            reason,
        }
    }
}

/// The objects of a sink, one at a time, in no particular order.
///
/// # Cancellation
/// See [`SinkReader`].
#[async_trait]
pub trait SinkLister: Send {
    /// Returns the next entry, or `None` after the last. An entry that cannot be listed is reported
    /// as [`Listed::Skipped`] and does not end the list.
    ///
    /// # Errors
    /// [`SinkError`] if the rest cannot be listed; every later call then fails too.
    async fn next(&mut self) -> Result<Option<Listed>, SinkError>;
}
