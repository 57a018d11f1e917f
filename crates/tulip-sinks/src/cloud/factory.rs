//! The factory that all clouds share.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tulip_core::NetworkOptions;
use tulip_core::sink::{Capabilities, Sink, SinkError, SinkFactory, SinkOption, SinkUrl};

use super::clients::{Clients, CreateRule};
use super::options::{self, CloudUrl};
use super::sink::CloudSink;

/// One cloud: its description, and how its clients are set up.
pub(super) struct Cloud {
    pub(super) scheme: &'static str,
    pub(super) summary: &'static str,
    pub(super) example: &'static str,
    pub(super) options: &'static [SinkOption],
    pub(super) clients: fn(CloudUrl<'_>, &NetworkOptions) -> Result<Clients, SinkError>,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloud({})", self.scheme)
    }
}

#[async_trait]
impl SinkFactory for Cloud {
    fn scheme(&self) -> &str {
        self.scheme
    }

    fn summary(&self) -> &str {
        self.summary
    }

    fn example(&self) -> &str {
        self.example
    }

    fn options(&self) -> &[SinkOption] {
        self.options
    }

    fn capabilities(&self) -> Capabilities {
        CloudSink::promised(CreateRule::Always)
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &NetworkOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let target = CloudUrl(url);
        target.check_metadata_names()?;
        let clients = (self.clients)(target, options)?;
        let sink = CloudSink::new(
            self.scheme,
            options::shown(url),
            target.prefix()?,
            target.budget()?,
            target.metadata(clients.hyphens),
            clients,
        );
        Ok(Arc::new(sink))
    }
}
