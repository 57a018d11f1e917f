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
    /// The next bytes, in order, or `None` after the last. A chunk is never empty, and no larger
    /// than some MiB.
    ///
    /// # Errors
    /// [`SinkError`]; what has been read until then is no whole object.
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError>;
}

/// The keys of a sink, one after the other.
///
/// # Cancellation
/// As with [`SinkReader`].
#[async_trait]
pub trait SinkLister: Send {
    /// The next key, or `None` after the last.
    ///
    /// # Errors
    /// [`SinkError`]; keys may be missing after it.
    async fn next(&mut self) -> Result<Option<ObjectKey>, SinkError>;
}
