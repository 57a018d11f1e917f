#![doc = include_str!("../README.md")]

use std::sync::Arc;

use bytes::Bytes;
use tulip_core::sink::{
    Capabilities, OpenOptions, Sink, SinkError, SinkFactory, SinkUrl, SinkWriter, StoredObject,
    WriteMode, async_trait, staged_name,
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
        let (root, http) = (url.root("http")?, Transport::new(network)?);
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
        error_for_status(self.http.send_empty(request).await?).map(drop)
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
    /// Ends the upload and moves it to its name, in folders that are made where they are missing.
    async fn store(&mut self) -> Result<(), TransportError> {
        error_for_status(self.upload.finish().await?)?;
        for parent in self.key.parents() {
            let folder = Request::builder().method("MKCOL");
            match self.dav.send(folder.uri(self.dav.location(&parent))).await {
                Err(error) if error.status() != Some(StatusCode::METHOD_NOT_ALLOWED) => {
                    return Err(error);
                }
                _ => {} // it is there, now or already
            }
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
        Ok(self.upload.write(chunk).await?)
    }
    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if let Err(error) = self.store().await {
            let _ = self.dav.send(Request::delete(&self.staged)).await;
            return Err(error.into());
        }
        Ok(StoredObject::new(self.bytes))
    }
    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        // The server locks what it is still receiving, so the upload is ended first.
        let _ = self.upload.finish().await;
        match self.dav.send(Request::delete(&self.staged)).await {
            Err(error) if error.status() != Some(StatusCode::NOT_FOUND) => Err(error.into()),
            _ => Ok(()),
        }
    }
}
