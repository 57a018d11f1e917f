#![doc = include_str!("../README.md")]

use std::sync::Arc;

use bytes::Bytes;
use tulip_core::sink::{
    Capabilities, OpenOptions, Sink, SinkError, SinkErrorKind, SinkFactory, SinkUrl, SinkWriter,
    StoredObject, WriteMode, async_trait, staged_name,
};
use tulip_core::{NetworkOptions, ObjectKey};
use tulip_http::http::{Request, StatusCode, request};
use tulip_http::{Transport, TransportError, Upload, error_for_status};

tulip_core::register_sink!(WebDavFactory);

struct WebDavFactory;

#[async_trait]
impl SinkFactory for WebDavFactory {
    fn scheme(&self) -> &str {
        "webdav"
    }
    fn summary(&self) -> &str {
        "a WebDAV server"
    }
    fn example(&self) -> &str {
        "webdav://nas:8080/archives"
    }
    async fn connect(
        &self,
        url: &SinkUrl,
        network: &NetworkOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let invalid = |what| SinkError::new(SinkErrorKind::InvalidTarget, what);
        let host = url
            .host()
            .ok_or_else(|| invalid(format!("{url} names no host")))?;
        let (port, path) = (
            url.port().unwrap_or(80),
            url.expose().path().trim_end_matches('/'),
        );
        let root = format!("http://{host}:{port}{path}");
        let http = Transport::new(network);
        let http = http.map_err(|error| invalid(format!("cannot use {url}")).with_source(error))?;
        Ok(Arc::new(WebDav { root, http }))
    }
}

#[derive(Debug, Clone)]
struct WebDav {
    root: String,
    http: Transport,
}

impl WebDav {
    async fn send(&self, request: request::Builder) -> Result<(), TransportError> {
        error_for_status(self.http.send_empty(request).await?)?;
        Ok(())
    }

    fn failed(&self, error: TransportError) -> SinkError {
        error.into_sink_error(format!("cannot write to {}", self.root))
    }
}

#[async_trait]
impl Sink for WebDav {
    fn scheme(&self) -> &str {
        "webdav"
    }
    fn location(&self, key: &ObjectKey) -> String {
        format!("{}/{}", self.root, key.percent_encoded())
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.with_atomic_create()
    }
    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let staged = format!("{}/{}", self.root, staged_name("tulip", fastrand::u32(..)));
        Ok(Box::new(WebDavWriter {
            upload: self.http.upload(Request::put(&staged)),
            dav: self.clone(),
            key: key.clone(),
            mode: options.mode,
            staged,
            bytes: 0,
        }))
    }
}

struct WebDavWriter {
    dav: WebDav,
    key: ObjectKey,
    mode: WriteMode,
    staged: String,
    upload: Upload,
    bytes: u64,
}

impl WebDavWriter {
    /// Moves what is staged to its name, in folders that are made where they are missing.
    async fn rename(&self) -> Result<(), TransportError> {
        for parent in self.key.parents() {
            let folder = self.dav.location(&parent);
            let made = self
                .dav
                .send(Request::builder().method("MKCOL").uri(folder))
                .await;
            made.or_else(|error| match error.status() {
                Some(StatusCode::METHOD_NOT_ALLOWED) => Ok(()), // it is there already
                _ => Err(error),
            })?;
        }
        let overwrite = if self.mode == WriteMode::Create {
            "F"
        } else {
            "T"
        };
        let rename = Request::builder().method("MOVE").uri(&self.staged);
        let rename = rename.header("Destination", self.dav.location(&self.key));
        self.dav.send(rename.header("Overwrite", overwrite)).await
    }
}

#[async_trait]
impl SinkWriter for WebDavWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes += chunk.len() as u64;
        self.upload
            .write(chunk)
            .await
            .map_err(|error| self.dav.failed(error))
    }
    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        let uploaded = self.upload.finish().await.and_then(error_for_status);
        let stored = match uploaded {
            Ok(_) => self.rename().await,
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            let _ = self.dav.send(Request::delete(&self.staged)).await;
            return Err(self.dav.failed(error));
        }
        Ok(StoredObject::new(self.bytes))
    }
    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        // The server holds what it is still receiving, so the upload is ended first.
        let _ = self.upload.finish().await;
        match self.dav.send(Request::delete(&self.staged)).await {
            Err(error) if error.status() != Some(StatusCode::NOT_FOUND) => {
                Err(self.dav.failed(error))
            }
            _ => Ok(()),
        }
    }
}
