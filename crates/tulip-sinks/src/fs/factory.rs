//! The factory of sinks for `file://` URLs.

use std::sync::Arc;

use async_trait::async_trait;
use tulip_core::NetworkOptions;
use tulip_core::sink::{
    Capabilities, Sink, SinkError, SinkErrorKind, SinkFactory, SinkOption, SinkUrl,
};

use super::options::{CAPABILITIES, Limits, OPTIONS};
use super::sink::FsSink;

pub(super) struct FsFactory;

#[async_trait]
impl SinkFactory for FsFactory {
    fn scheme(&self) -> &str {
        "file"
    }

    fn summary(&self) -> &str {
        "local files, synced to disk"
    }

    fn example(&self) -> &str {
        "./out or file:///data/tulip"
    }

    fn options(&self) -> &[SinkOption] {
        &OPTIONS
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn connect(&self, url: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        let limits = Limits::from_url(url)?;
        let folder = url.to_file_path().ok_or_else(|| {
            let what = format!("{url} is not the URL of a local folder");
            SinkError::new(SinkErrorKind::InvalidTarget, what)
        })?;
        Ok(Arc::new(FsSink::new(folder, limits)))
    }
}
