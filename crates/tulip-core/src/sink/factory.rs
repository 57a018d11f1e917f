//! [`SinkFactory`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Capabilities, Sink, SinkError, SinkOption, SinkUrl};
use crate::NetworkOptions;

/// Makes sinks from the URLs of one scheme.
#[async_trait]
pub trait SinkFactory: Send + Sync {
    /// The URL scheme, in lower case, for example `s3`.
    fn scheme(&self) -> &str;

    /// One line of help: what the sink writes to.
    fn summary(&self) -> &str;

    /// A URL that shows the form, for example `s3://bucket/prefix`.
    fn example(&self) -> &str;

    /// The options that the query of a URL may hold. The registry refuses any other before
    /// [`SinkFactory::connect`] sees it. By default there are none.
    fn options(&self) -> &[SinkOption] {
        &[]
    }

    /// What the sinks of this scheme can do, where nothing about the single store says otherwise.
    /// By default nothing beyond writing.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Makes the sink of `url`. Whether it can be reached and written is [`Sink::probe`]'s.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`](super::SinkErrorKind::InvalidTarget) when the URL or an
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
