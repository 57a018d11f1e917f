//! What a sink gives back: the bytes of an object, and the names of all.

use async_trait::async_trait;
use bytes::Bytes;

use super::SinkError;
use crate::ObjectKey;

/// An object that is being read, from its first byte to its last.
///
/// # Cancellation
/// Reading changes nothing, so every future here can be dropped at any time; the reader is then of
/// no further use.
#[async_trait]
pub trait SinkReader: Send {
    /// The next bytes, in order, or `None` behind the last. A chunk is never empty, and no larger
    /// than some MiB.
    ///
    /// # Errors
    /// [`SinkError`]; what has been read until then is no whole object.
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError>;
}

/// One entry of a list.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listed {
    /// The key of an object.
    Key(ObjectKey),
    /// Something that cannot be looked at or has no key, such as a folder without the permission to
    /// read it. Objects in it are missing from the list; all others are listed.
    #[non_exhaustive]
    Skipped {
        /// Where it is, fit to be shown: without secrets and control characters.
        location: String,
        /// Why it was skipped, as a whole sentence that names the place.
        reason: SinkError,
    },
}

impl Listed {
    /// An entry that was skipped.
    pub fn skipped(location: impl Into<String>, reason: SinkError) -> Self {
        Self::Skipped {
            location: location.into(),
            reason,
        }
    }
}

/// The objects of a sink, one after the other, in no particular order.
///
/// # Cancellation
/// As with [`SinkReader`].
#[async_trait]
pub trait SinkLister: Send {
    /// The next entry, or `None` after the last. An entry that cannot be listed is reported as
    /// [`Listed::Skipped`] and ends nothing.
    ///
    /// # Errors
    /// [`SinkError`] when the rest cannot be listed; every later call fails too.
    async fn next(&mut self) -> Result<Option<Listed>, SinkError>;
}
