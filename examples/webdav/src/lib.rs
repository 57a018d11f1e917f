#![doc = include_str!("../README.md")]

use std::sync::Arc;

use tulip_core::sink::{
    Capabilities, FactoryFn, OpenOptions, Sink, SinkError, SinkUrl, SinkWriter, WriteMode,
    async_trait, staged_name,
};
use tulip_core::{NetworkOptions, ObjectKey};
use tulip_http::http::{Request, StatusCode};
use tulip_http::{StagedObject, Transport, TransportError};

const CAPABILITIES: Capabilities = Capabilities::NONE.with_atomic_create();

tulip_core::register_sink!(
    FactoryFn::new("webdav", connect)
        .with_summary("a WebDAV server")
        .with_example("webdav://nas:8080/archives")
        .with_capabilities(CAPABILITIES)
);

fn connect(url: &SinkUrl, network: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
    let (root, http) = (url.root("http")?, Transport::new(network)?);
    Ok(Arc::new(WebDav { root, http }))
}

#[derive(Debug, Clone)]
struct WebDav {
    root: String,
    http: Transport,
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
        CAPABILITIES
    }
    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        let url = format!("{}/{}", self.root, staged_name("tulip", fastrand::u32(..)));
        let put = Request::put(&url);
        let (dav, key, mode) = (self.clone(), key.clone(), options.mode);
        let staged = Staged {
            dav,
            url,
            key,
            mode,
        };
        Ok(self.http.staged_upload(put, staged))
    }
}

struct Staged {
    dav: WebDav,
    url: String,
    key: ObjectKey,
    mode: WriteMode,
}

#[async_trait]
impl StagedObject for Staged {
    async fn commit(&self) -> Result<(), TransportError> {
        for parent in self.key.parents() {
            let folder = Request::builder()
                .method("MKCOL")
                .uri(self.dav.location(&parent));
            match self.dav.http.request(folder).await {
                // It is there already.
                Err(error) if error.status() == Some(StatusCode::METHOD_NOT_ALLOWED) => {}
                made => drop(made?),
            }
        }
        let create = self.mode == WriteMode::Create;
        let rename = Request::builder()
            .method("MOVE")
            .uri(&self.url)
            .header("Destination", self.dav.location(&self.key))
            .header("Overwrite", if create { "F" } else { "T" });
        self.dav.http.request(rename).await.map(drop)
    }
    async fn discard(&self) -> Result<(), TransportError> {
        self.dav
            .http
            .request(Request::delete(&self.url))
            .await
            .map(drop)
    }
}
