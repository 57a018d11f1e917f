#![doc = include_str!("../README.md")]

use std::sync::Arc;

use tulip_core::sink::{
    Capabilities, FactoryFn, OpenOptions, Sink, SinkError, SinkUrl, SinkWriter, WriteMode,
    async_trait, staged_name,
};
use tulip_core::{NetworkOptions, ObjectKey};
use tulip_http::Transport;
use tulip_http::http::{Request, StatusCode};

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
        let staged = format!("{}/{}", self.root, staged_name("tulip", fastrand::u32(..)));
        let (put, discard) = (Request::put(&staged), Request::delete(&staged));
        let (dav, key, mode) = (self.clone(), key.clone(), options.mode);
        let commit = async move {
            for folder in key.parents().map(|key| dav.location(&key)) {
                let make = Request::builder().method("MKCOL").uri(&folder);
                let is_there = StatusCode::METHOD_NOT_ALLOWED;
                dav.http.request_unless(is_there, make).await?;
            }
            let overwrite = if mode == WriteMode::Create { "F" } else { "T" };
            let rename = Request::builder().method("MOVE").uri(&staged);
            let rename = rename.header("Destination", dav.location(&key));
            let rename = rename.header("Overwrite", overwrite);
            dav.http.request(rename).await.map(drop)
        };
        Ok(self.http.staged_upload(put, commit, discard))
    }
}
