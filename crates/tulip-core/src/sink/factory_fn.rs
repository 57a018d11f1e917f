//! [`FactoryFn`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Capabilities, Sink, SinkError, SinkFactory, SinkUrl};
use crate::NetworkOptions;

/// A function that creates a sink from a URL.
type Connect = fn(&SinkUrl, &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError>;

/// A [`SinkFactory`] made from a function, for a sink that takes no options and needs no
/// asynchronous setup.
///
/// ```
/// use std::sync::Arc;
/// use tulip_core::NetworkOptions;
/// use tulip_core::sink::{FactoryFn, Sink, SinkError, SinkErrorKind, SinkRegistry, SinkUrl};
///
/// tulip_core::register_sink!(
///     FactoryFn::new("raven", connect)
///         .with_summary("messages by raven")
///         .with_example("raven://tower")
/// );
///
/// fn connect(url: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
///     Err(SinkError::new(SinkErrorKind::Unavailable, format!("{url} has flown")))
/// }
///
/// let registry = SinkRegistry::linked()?;
/// assert!(registry.schemes().any(|scheme| scheme == "raven"));
/// # Ok::<(), tulip_core::sink::RegistryError>(())
/// ```
#[derive(Clone, Copy)]
pub struct FactoryFn {
    scheme: &'static str,
    summary: &'static str,
    example: &'static str,
    capabilities: Capabilities,
    connect: Connect,
}

impl FactoryFn {
    /// Creates a factory for URLs of `scheme`, which must be in lower case.
    #[must_use]
    pub const fn new(scheme: &'static str, connect: Connect) -> Self {
        Self {
            scheme,
            summary: "",
            example: "",
            capabilities: Capabilities::NONE,
            connect,
        }
    }

    /// Sets the [`SinkFactory::summary`].
    #[must_use]
    pub const fn with_summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Sets the [`SinkFactory::example`].
    #[must_use]
    pub const fn with_example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Sets the [`SinkFactory::capabilities`].
    #[must_use]
    pub const fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}

#[async_trait]
impl SinkFactory for FactoryFn {
    fn scheme(&self) -> &str {
        self.scheme
    }

    fn summary(&self) -> &str {
        self.summary
    }

    fn example(&self) -> &str {
        self.example
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &NetworkOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        (self.connect)(url, options)
    }
}

impl fmt::Debug for FactoryFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self as &dyn SinkFactory, f)
    }
}
