//! Which sinks there are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::url::Shown;
use super::{
    Sink, SinkError, SinkErrorKind, SinkFactory, SinkHint, SinkOption, SinkRegistration, SinkUrl,
};
use crate::NetworkOptions;

/// Two factories for one scheme, or a scheme that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The scheme is taken.
    #[error("two sinks have the scheme {scheme:?}: {first:?} and {second:?}; register one of them")]
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

    /// The cargo feature that adds the sink of a scheme, where a linked crate has registered one with
    /// [`register_sink_hint!`](crate::register_sink_hint), whether it is on or off.
    #[must_use]
    pub fn feature(scheme: &str) -> Option<&'static str> {
        let mut hints = inventory::iter::<SinkHint>();
        hints
            .find(|hint| hint.scheme == scheme)
            .map(|hint| hint.feature)
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
            [] => "none is registered".to_owned(),
            schemes => format!("there are: {}", schemes.join(", ")),
        };
        let feature = Self::feature(scheme)
            .map(|feature| format!("; the cargo feature {feature:?} adds it"))
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
mod tests;
