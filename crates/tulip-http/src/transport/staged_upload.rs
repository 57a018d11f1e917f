//! Objects that are uploaded under a staged name and then moved to their key.

use std::pin::Pin;

use bytes::Bytes;
use http::{StatusCode, request};
use tulip_core::sink::{SinkError, SinkWriter, StoredObject, async_trait};

use super::client::Transport;
use super::transport_error::{TransportError, error_for_status};
use super::upload::Upload;

impl Transport {
    /// Returns a writer for a store over HTTP that can move objects. It sends what is written as
    /// the body of `put`, under a [`staged_name`](tulip_core::sink::staged_name). On close, once
    /// the server has the whole object, `commit` makes it visible under its key; if `commit` fails,
    /// it must leave nothing new visible. After a failure, and on abort, the writer sends
    /// `discard`, for which 404 is not a failure.
    ///
    /// Dropping the writer breaks off the upload and leaves it to the store to remove what it has
    /// received.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    #[must_use]
    pub fn staged_upload(
        &self,
        put: request::Builder,
        commit: impl Future<Output = Result<(), TransportError>> + Send + 'static,
        discard: request::Builder,
    ) -> Box<dyn SinkWriter> {
        Box::new(StagedUpload {
            http: self.clone(),
            upload: self.upload(put),
            commit: Box::pin(commit),
            discard,
            bytes: 0,
        })
    }
}

struct StagedUpload {
    http: Transport,
    upload: Upload,
    commit: Pin<Box<dyn Future<Output = Result<(), TransportError>> + Send>>,
    discard: request::Builder,
    bytes: u64,
}

impl StagedUpload {
    async fn commit(&mut self) -> Result<(), TransportError> {
        error_for_status(self.upload.finish().await?)?;
        (&mut self.commit).await
    }

    async fn discard(self) -> Result<(), TransportError> {
        let gone = StatusCode::NOT_FOUND;
        self.http.request_unless(gone, self.discard).await
    }
}

#[async_trait]
impl SinkWriter for StagedUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes += chunk.len() as u64;
        Ok(self.upload.write(chunk).await?)
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if let Err(error) = self.commit().await {
            // The first error is the one to report.
            let _ = self.discard().await;
            return Err(error.into());
        }
        Ok(StoredObject::new(self.bytes))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        // End the upload first: servers lock an object while they receive it.
        let _ = self.upload.finish().await;
        Ok(self.discard().await?)
    }
}
