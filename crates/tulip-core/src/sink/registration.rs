//! Link-time registration of sinks, and of hints about sinks that a cargo feature adds.

use super::SinkFactory;

/// A factory registered at link time by [`register_sink!`](crate::register_sink).
#[derive(Debug)]
pub struct SinkRegistration {
    pub(super) factory: &'static dyn SinkFactory,
}

impl SinkRegistration {
    /// Used by [`register_sink!`](crate::register_sink).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(factory: &'static dyn SinkFactory) -> Self {
        Self { factory }
    }
}

inventory::collect!(SinkRegistration);

/// Registers a [`SinkFactory`] at link time, so that
/// [`SinkRegistry::linked`](crate::sink::SinkRegistry::linked) finds it.
///
/// Takes an expression for a factory that is valid in a `static`. A crate that only registers must
/// be named by the binary, or the linker drops it: write `use my_sink as _;` there.
///
/// ```
/// use std::sync::Arc;
/// use tulip_core::NetworkOptions;
/// use tulip_core::sink::{Sink, SinkError, SinkErrorKind, SinkFactory, SinkRegistry, SinkUrl, async_trait};
///
/// struct Pigeon;
///
/// #[async_trait]
/// impl SinkFactory for Pigeon {
///     fn scheme(&self) -> &str { "pigeon" }
///     fn summary(&self) -> &str { "carrier pigeons (RFC 1149)" }
///     fn example(&self) -> &str { "pigeon://loft" }
///     async fn connect(&self, url: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
///         Err(SinkError::new(SinkErrorKind::Unavailable, format!("{url} has flown")))
///     }
/// }
///
/// tulip_core::register_sink!(Pigeon);
///
/// let registry = SinkRegistry::linked()?;
/// assert!(registry.schemes().any(|scheme| scheme == "pigeon"));
/// # Ok::<(), tulip_core::sink::RegistryError>(())
/// ```
#[macro_export]
macro_rules! register_sink {
    ($factory:expr $(,)?) => {
        $crate::__inventory::submit! {
            $crate::sink::SinkRegistration::new(&$factory)
        }
    };
}

/// The cargo feature that adds the sink of a scheme, registered by
/// [`register_sink_hint!`](crate::register_sink_hint).
#[derive(Debug)]
pub struct SinkHint {
    pub(super) scheme: &'static str,
    pub(super) feature: &'static str,
}

impl SinkHint {
    /// Used by [`register_sink_hint!`](crate::register_sink_hint).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(scheme: &'static str, feature: &'static str) -> Self {
        Self { scheme, feature }
    }
}

inventory::collect!(SinkHint);

/// Registers the cargo feature that adds the sink of a scheme, for lists of sinks and for the error
/// about an unknown scheme. A crate registers it whether the feature is on or off.
///
/// ```
/// tulip_core::register_sink_hint!("sftp", "ssh");
/// ```
#[macro_export]
macro_rules! register_sink_hint {
    ($scheme:expr, $feature:expr $(,)?) => {
        $crate::__inventory::submit! {
            $crate::sink::SinkHint::new($scheme, $feature)
        }
    };
}
