//! Which sinks there are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::NetworkOptions;

use super::url::Shown;
use super::{Capabilities, Sink, SinkError, SinkErrorKind, SinkOption, SinkUrl};

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

    /// The cargo feature that brings this sink, for a built-in one.
    fn feature(&self) -> Option<&str> {
        None
    }

    /// Makes the sink of `url`. Whether it can be reached and written is [`Sink::probe`]'s.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`] when the URL or an option in it cannot be used.
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

/// A factory that was registered at link time; made by
/// [`register_sink!`](crate::register_sink).
#[derive(Debug)]
pub struct SinkRegistration {
    factory: &'static dyn SinkFactory,
}

impl SinkRegistration {
    /// For [`register_sink!`](crate::register_sink).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(factory: &'static dyn SinkFactory) -> Self {
        Self { factory }
    }
}

inventory::collect!(SinkRegistration);

/// Registers a [`SinkFactory`] at link time, so that [`SinkRegistry::linked`] finds it.
///
/// Takes an expression for a factory that can stand in a `static`. A crate that only registers
/// must be named by the binary, or the linker drops it: write `use my_sink as _;` there.
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

/// Two factories for one scheme, or a scheme that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The scheme is taken.
    #[error("two sinks want the scheme {scheme:?}: {first:?} and {second:?}; register one of them")]
    DuplicateScheme {
        /// The scheme.
        scheme: String,
        /// The summary of the sink that has it.
        first: String,
        /// The summary of the sink that was refused.
        second: String,
    },
    /// The scheme is not a URL scheme in lower case, or so short that it looks like a drive.
    #[error(
        "{scheme:?} cannot be a sink's scheme: it takes two or more of a-z, 0-9, '+', '-', '.', a letter first"
    )]
    InvalidScheme {
        /// The scheme.
        scheme: String,
    },
}

/// What a crate of sinks says about a scheme that it could bring; made by
/// [`register_sink_hint!`](crate::register_sink_hint).
#[derive(Debug)]
pub struct SinkHint {
    scheme: &'static str,
    feature: &'static str,
}

impl SinkHint {
    /// For [`register_sink_hint!`](crate::register_sink_hint).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(scheme: &'static str, feature: &'static str) -> Self {
        Self { scheme, feature }
    }
}

inventory::collect!(SinkHint);

/// Registers which cargo feature would bring the sink of a scheme, for the message about a scheme
/// that no sink has. A crate submits it where that feature is off.
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

#[derive(Clone)]
enum Entry {
    Linked(&'static dyn SinkFactory),
    Explicit(Arc<dyn SinkFactory>),
}

impl Entry {
    fn factory(&self) -> &dyn SinkFactory {
        match self {
            Self::Linked(factory) => *factory,
            Self::Explicit(factory) => factory.as_ref(),
        }
    }
}

/// Sinks by URL scheme.
#[derive(Clone, Default)]
pub struct SinkRegistry {
    entries: BTreeMap<String, Entry>,
}

impl SinkRegistry {
    /// A registry without any sink.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// All sinks that were registered at link time.
    ///
    /// # Errors
    /// [`RegistryError`] when two of them want the same scheme, or one has an unusable scheme.
    pub fn linked() -> Result<Self, RegistryError> {
        let mut factories: Vec<&'static dyn SinkFactory> = inventory::iter::<SinkRegistration>()
            .map(|r| r.factory)
            .collect();
        // Link order is unspecified; an error must not depend on it.
        factories.sort_by_key(|f| (f.scheme().to_owned(), f.summary().to_owned()));
        let mut registry = Self::empty();
        for factory in factories {
            registry.insert(Entry::Linked(factory))?;
        }
        Ok(registry)
    }

    /// Adds a sink.
    ///
    /// # Errors
    /// [`RegistryError`] when its scheme is taken or unusable; the registry is unchanged then.
    pub fn register(&mut self, factory: impl SinkFactory + 'static) -> Result<(), RegistryError> {
        self.insert(Entry::Explicit(Arc::new(factory)))
    }

    fn insert(&mut self, entry: Entry) -> Result<(), RegistryError> {
        let scheme = entry.factory().scheme().to_owned();
        if !is_scheme(&scheme) {
            return Err(RegistryError::InvalidScheme { scheme });
        }
        if let Some(taken) = self.entries.get(&scheme) {
            return Err(RegistryError::DuplicateScheme {
                scheme,
                first: taken.factory().summary().to_owned(),
                second: entry.factory().summary().to_owned(),
            });
        }
        self.entries.insert(scheme, entry);
        Ok(())
    }

    /// The schemes that are there, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The factories that are there, sorted by scheme.
    pub fn factories(&self) -> impl Iterator<Item = &dyn SinkFactory> {
        self.entries.values().map(Entry::factory)
    }

    /// Makes the sink of `url`.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`] when no sink has the scheme, naming those that are there
    /// and the feature that would bring a known one, or when the URL holds an option that the sink
    /// does not know, or one twice; otherwise the factory's error.
    pub async fn connect(
        &self,
        url: &SinkUrl,
        options: &NetworkOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let Some(entry) = self.entries.get(url.scheme()) else {
            return Err(self.unknown(url.scheme()));
        };
        let factory = entry.factory();
        SinkOption::check(url, factory.options())?;
        factory.connect(url, options).await
    }

    /// `url` as it can be written down: without user info, and with those options alone that the
    /// sink says are no secrets.
    #[must_use]
    pub fn without_secrets(&self, url: &SinkUrl) -> SinkUrl {
        self.retaining(url, |option| option.public)
    }

    /// `url` as it can be shown: with the values of those options alone that the sink says are no
    /// secrets. `Display` of the URL itself masks all of them.
    #[must_use]
    pub fn shown(&self, url: &SinkUrl) -> String {
        let is_public = |name: &str| self.option(url, name).is_some_and(|option| option.public);
        Shown(url, is_public).to_string()
    }

    /// `url` as it tells one place from another: without user info and secrets, without the
    /// options that only tune, and with the others in one order.
    #[must_use]
    pub fn identity(&self, url: &SinkUrl) -> SinkUrl {
        self.retaining(url, |option| option.public && !option.tuning)
            .sorted()
    }

    /// `url` with those options alone that the sink knows and `keep` wants.
    fn retaining(&self, url: &SinkUrl, keep: impl Fn(&SinkOption) -> bool) -> SinkUrl {
        let wanted = |name: &str| self.option(url, name).is_some_and(&keep);
        url.clone().retaining(wanted)
    }

    /// The option of that name that the sink of `url` knows.
    fn option(&self, url: &SinkUrl, name: &str) -> Option<&SinkOption> {
        let entry = self.entries.get(url.scheme())?;
        let options = entry.factory().options();
        options.iter().find(|known| known.allows(name))
    }

    fn unknown(&self, scheme: &str) -> SinkError {
        let there: Vec<_> = self.schemes().collect();
        let there = match there.as_slice() {
            [] => "there is none here".to_owned(),
            schemes => format!("there are: {}", schemes.join(", ")),
        };
        let feature = inventory::iter::<SinkHint>()
            .find(|hint| hint.scheme == scheme)
            .map(|hint| format!("; the cargo feature {:?} adds it", hint.feature))
            .unwrap_or_default();
        SinkError::new(
            SinkErrorKind::InvalidTarget,
            format!("no sink has the scheme {scheme:?}; {there}{feature}"),
        )
    }
}

impl fmt::Debug for SinkRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

fn is_scheme(text: &str) -> bool {
    let tail = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    text.len() > 1 && text.as_bytes()[0].is_ascii_lowercase() && text.bytes().all(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::register_sink_hint!("gs", "gcs");

    struct Named(&'static str, &'static str);

    const OPTIONS: &[SinkOption] = &[
        SinkOption::new("team", "whose").public(),
        SinkOption::new("batch", "rows per request")
            .public()
            .tuning(),
        SinkOption::new("token", "a secret"),
        SinkOption::new("metadata.NAME", "kept").public(),
    ];

    #[async_trait]
    impl SinkFactory for Named {
        fn scheme(&self) -> &str {
            self.0
        }
        fn summary(&self) -> &str {
            self.1
        }
        fn example(&self) -> &str {
            "x://"
        }
        fn options(&self) -> &[SinkOption] {
            OPTIONS
        }
        async fn connect(
            &self,
            _: &SinkUrl,
            _: &NetworkOptions,
        ) -> Result<Arc<dyn Sink>, SinkError> {
            Err(SinkError::new(SinkErrorKind::Unavailable, "reached"))
        }
    }

    /// The futures here never wait, so one poll drives them.
    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("the future waits"),
        }
    }

    #[test]
    fn a_duplicate_scheme_is_refused_by_name() {
        let mut registry = SinkRegistry::empty();
        registry.register(Named("mine", "first")).unwrap();
        let error = registry.register(Named("mine", "second")).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"two sinks want the scheme "mine": "first" and "second"; register one of them"#
        );
        assert_eq!(registry.schemes().collect::<Vec<_>>(), ["mine"]);
    }

    #[test]
    fn what_only_tunes_or_is_secret_does_not_change_the_identity() {
        let mut registry = SinkRegistry::empty();
        registry.register(Named("mine", "x")).unwrap();
        let identity = |url: &str| {
            let url = registry.identity(&url.parse().unwrap());
            url.expose().to_string()
        };
        let plain = identity("mine://h/x?metadata.a=1&team=ops");
        assert_eq!(plain, "mine://h/x?metadata.a=1&team=ops");
        for same in [
            "mine://h/x?team=ops&metadata.a=1",
            "mine://h/x?batch=7&team=ops&metadata.a=1",
            "mine://h/x?team=ops&token=5ecret&metadata.a=1&batch=8",
            "mine://u:5ecret@h/x?team=ops&metadata.a=1#f",
        ] {
            assert_eq!(identity(same), plain, "{same}");
        }
        assert_ne!(identity("mine://h/x?team=dev&metadata.a=1"), plain);
        assert_eq!(identity("mine://h/x?batch=7"), identity("mine://h/x"));
        let written =
            registry.without_secrets(&"mine://h/x?team=a&batch=7&token=s".parse().unwrap());
        assert_eq!(written.expose().as_str(), "mine://h/x?team=a&batch=7");
    }

    #[test]
    fn values_that_are_no_secrets_are_shown() {
        let mut registry = SinkRegistry::empty();
        registry.register(Named("mine", "x")).unwrap();
        let shown = |url: &str| registry.shown(&url.parse().unwrap());
        assert_eq!(
            shown("mine://u:5ecret@h/x?team=ops&token=5ecret&other=5ecret"),
            "mine://[redacted]@h/x?team=ops&token=[redacted]&other=[redacted]"
        );
        assert_eq!(
            shown("mine://h/x?team=https://u:5ecret@h&batch=8"),
            "mine://h/x?team=[redacted]&batch=8"
        );
        assert_eq!(
            shown("other://h/x?team=5ecret"),
            "other://h/x?team=[redacted]"
        );
    }

    #[test]
    fn schemes_that_no_url_can_have_are_refused() {
        for scheme in ["", "c", "Mine", "1st", "my_sink"] {
            let error = SinkRegistry::empty()
                .register(Named(scheme, "x"))
                .unwrap_err();
            assert!(
                matches!(error, RegistryError::InvalidScheme { .. }),
                "{scheme}"
            );
        }
    }

    #[test]
    fn an_unknown_scheme_names_what_is_there_and_the_feature() {
        let mut registry = SinkRegistry::empty();
        let connect = |registry: &SinkRegistry, url: &str| {
            let options = NetworkOptions::default();
            now(registry.connect(&url.parse().unwrap(), &options)).unwrap_err()
        };
        let error = connect(&registry, "ftp://h/x");
        assert!(error.to_string().contains("there is none here"), "{error}");
        registry.register(Named("mine", "x")).unwrap();
        registry.register(Named("file", "x")).unwrap();
        let error = connect(&registry, "gs://bucket/x");
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
        assert!(
            error
                .to_string()
                .contains(r#"there are: file, mine; the cargo feature "gcs" adds it"#),
            "{error}"
        );
        assert!(
            connect(&registry, "mine://x")
                .to_string()
                .contains("reached")
        );
        let error = connect(&registry, "mine://x?depth=1");
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    }
}
