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
    /// The upload begins with the first write. Dropping the writer breaks it off and leaves it to
    /// the store to remove what it has received.
    ///
    /// The writer must be used within a tokio runtime.
    #[must_use]
    pub fn staged_upload(
        &self,
        put: request::Builder,
        commit: impl Future<Output = Result<(), TransportError>> + Send + 'static,
        discard: request::Builder,
    ) -> Box<dyn SinkWriter> {
        Box::new(StagedUpload {
            http: self.clone(),
            put: Some(put),
            upload: None,
            commit: Box::pin(commit),
            discard,
            bytes: 0,
        })
    }
}

struct StagedUpload {
    http: Transport,
    /// The request to upload with, until the first write.
    put: Option<request::Builder>,
    upload: Option<Upload>,
    commit: Pin<Box<dyn Future<Output = Result<(), TransportError>> + Send>>,
    discard: request::Builder,
    bytes: u64,
}

impl StagedUpload {
    /// Returns the upload, which begins with the first call: an object that is opened and never
    /// written to leaves nothing staged.
    fn upload(&mut self) -> &mut Upload {
        let (http, put) = (&self.http, &mut self.put);
        self.upload
            .get_or_insert_with(|| http.upload(put.take().unwrap_or_default()))
    }

    async fn commit(&mut self) -> Result<(), TransportError> {
        error_for_status(self.upload().finish().await?)?;
        (&mut self.commit).await
    }

    /// Removes what the server has received, if an upload has begun.
    async fn discard(mut self) -> Result<(), TransportError> {
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        // Servers lock an object while they receive it. After a dropped write, the upload has no
        // end that could be waited for.
        if upload.finish().await.is_err() {
            upload.cancel().await;
        }
        let gone = StatusCode::NOT_FOUND;
        self.http.request_unless(gone, self.discard).await
    }
}

#[async_trait]
impl SinkWriter for StagedUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes += chunk.len() as u64;
        Ok(self.upload().write(chunk).await?)
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if let Err(error) = self.commit().await {
            // The first error is the one to report.
            let _ = self.discard().await;
            return Err(error.into());
        }
        Ok(StoredObject::new(self.bytes))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(self.discard().await?)
    }
}
