//! [`SinkFactory`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Capabilities, Sink, SinkError, SinkOption, SinkUrl};
use crate::NetworkOptions;

/// Makes sinks from the URLs of one scheme.
#[async_trait]
pub trait SinkFactory: Send + Sync {
    /// Returns the URL scheme, in lower case, for example `s3`.
    fn scheme(&self) -> &str;

    /// Returns one line of help: what the sink writes to.
    fn summary(&self) -> &str;

    /// Returns an example URL, such as `s3://bucket/prefix`.
    fn example(&self) -> &str;

    /// Returns the options that a URL's query may contain. The registry refuses any other before it
    /// calls [`SinkFactory::connect`]. None by default.
    fn options(&self) -> &[SinkOption] {
        &[]
    }

    /// Returns what the sinks of this scheme can do, unless a particular store differs. By default
    /// nothing beyond writing.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Creates the sink for `url`. [`Sink::probe`] checks whether it can be reached and written to.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`](super::SinkErrorKind::InvalidTarget) if the URL or an
    /// option in it cannot be used.
    async fn connect(
        &self,
        url: &SinkUrl,
        options: &NetworkOptions,
    ) -> Result<Arc<dyn Sink>, SinkError>;
}

impl fmt::Debug for dyn SinkFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkFactory({})", self.scheme())
    }
}
