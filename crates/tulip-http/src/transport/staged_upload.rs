//! An object that is uploaded beside its key and then moved there.

use bytes::Bytes;
use http::{StatusCode, request};
use tulip_core::sink::{SinkError, SinkWriter, StoredObject, async_trait};

use super::client::Transport;
use super::transport_error::{TransportError, error_for_status};
use super::upload::Upload;

/// An object on a server under its [`staged_name`](tulip_core::sink::staged_name): what a sink says
/// about its store, so that [`Transport::staged_upload`] can write to it.
#[async_trait]
pub trait StagedObject: Send + Sync {
    /// Makes the object, which is whole now, visible under its key.
    ///
    /// # Errors
    /// [`TransportError`]; nothing new is visible then. The object is discarded after it.
    async fn commit(&self) -> Result<(), TransportError>;

    /// Removes the object.
    ///
    /// # Errors
    /// [`TransportError`] when it stays. That it is not there (404) is no failure.
    async fn discard(&self) -> Result<(), TransportError>;
}

impl Transport {
    /// A writer for a store over HTTP that can move objects: it sends what is written as the body of
    /// `put`, commits it on close, and discards it where that fails and on abort. A writer that is
    /// dropped breaks the request off, and leaves it to the store to remove what it has of it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn staged_upload(
        &self,
        put: request::Builder,
        object: impl StagedObject + 'static,
    ) -> Box<dyn SinkWriter> {
        Box::new(StagedUpload {
            upload: self.upload(put),
            object,
            bytes: 0,
        })
    }
}

struct StagedUpload<O> {
    upload: Upload,
    object: O,
    bytes: u64,
}

impl<O: StagedObject> StagedUpload<O> {
    async fn commit(&mut self) -> Result<(), TransportError> {
        error_for_status(self.upload.finish().await?)?;
        self.object.commit().await
    }

    async fn discard(&self) -> Result<(), TransportError> {
        match self.object.discard().await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            discarded => discarded,
        }
    }
}

#[async_trait]
impl<O: StagedObject> SinkWriter for StagedUpload<O> {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes += chunk.len() as u64;
        Ok(self.upload.write(chunk).await?)
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if let Err(error) = self.commit().await {
            // The first error is the one that tells.
            let _ = self.discard().await;
            return Err(error.into());
        }
        Ok(StoredObject::new(self.bytes))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        // Servers lock what they are still receiving, so the upload is ended first.
        let _ = self.upload.finish().await;
        Ok(self.discard().await?)
    }
}
