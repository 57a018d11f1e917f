//! What the factories of all clouds have in common.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::list::PaginatedListStore;
use tulip_core::sink::{
    Capabilities, ConnectOptions, Sink, SinkError, SinkFactory, SinkOption, SinkUrl,
};

use super::destination::StoreClient;
use super::options::{self, CloudUrl};
use super::sink::{CloudSink, CreateRule};
use super::stale_uploads::StaleUploads;

/// One cloud: what is told of it, and how its clients are set up.
pub(super) struct Cloud {
    pub(super) scheme: &'static str,
    pub(super) summary: &'static str,
    pub(super) example: &'static str,
    pub(super) feature: &'static str,
    pub(super) options: &'static [SinkOption],
    pub(super) clients: fn(CloudUrl<'_>, &ConnectOptions) -> Result<Clients, SinkError>,
}

/// The clients of one store, and what is peculiar to it.
pub(super) struct Clients {
    pub(super) store: StoreClient,
    pub(super) lister: Arc<dyn PaginatedListStore>,
    /// The same store by fewer retries, for whoever waits for an answer.
    pub(super) impatient: Arc<dyn ObjectStore>,
    /// Whether asking for an upload asks the store for nothing; only a part does.
    pub(super) probe_needs_part: bool,
    pub(super) create_only: CreateOnly,
    /// Uploads that nobody has ended; `None` where the store sees to them by itself.
    pub(super) stale_uploads: Option<StaleUploads>,
    /// Whether metadata names may have hyphens.
    pub(super) hyphens: bool,
}

/// How a store is asked not to replace an object.
pub(super) struct CreateOnly {
    pub(super) rule: CreateRule,
    /// The store, on a way that makes the end of an upload create-only.
    pub(super) store: StoreClient,
    /// Uploads go to another name and are copied from there, because their end cannot be made
    /// create-only.
    pub(super) copies: bool,
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

    fn feature(&self) -> Option<&str> {
        Some(self.feature)
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &ConnectOptions,
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
