//! The registry of sinks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::url::Shown;
use super::{
    Sink, SinkError, SinkErrorKind, SinkFactory, SinkHint, SinkOption, SinkRegistration, SinkUrl,
};
use crate::NetworkOptions;

/// An error registering a sink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The scheme is taken.
    #[error("two sinks have the scheme {scheme:?}: {first:?} and {second:?}; register one of them")]
    DuplicateScheme {
        /// The scheme.
        scheme: String,
        /// The summary of the registered sink.
        first: String,
        /// The summary of the refused sink.
        second: String,
    },
    /// The scheme is not a lower-case URL scheme, or is so short that it looks like a drive letter.
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
    /// Returns a registry without sinks.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns a registry of all sinks that were registered at link time.
    ///
    /// # Errors
    /// [`RegistryError`] if two of them have the same scheme, or one has an unusable scheme.
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
    /// [`RegistryError`] if its scheme is taken or unusable; the registry is then unchanged.
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

    /// Returns the registered schemes, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Returns the registered factories, sorted by scheme.
    pub fn factories(&self) -> impl Iterator<Item = &dyn SinkFactory> {
        self.entries.values().map(Entry::factory)
    }

    /// Creates the sink for `url`.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`] if no sink has the scheme, naming the registered ones and
    /// the feature that would add a known one, or if the URL has an option that the sink does not
    /// know, or one twice; otherwise the factory's error.
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

    /// Returns `url` in a form that can be stored: without user info, and with only those options
    /// that the sink declares public.
    #[must_use]
    pub fn without_secrets(&self, url: &SinkUrl) -> SinkUrl {
        self.retaining(url, |option| option.public)
    }

    /// Returns `url` in a form that can be shown: with only the values of those options that the
    /// sink declares public. `Display` of the URL itself masks all values.
    #[must_use]
    pub fn shown(&self, url: &SinkUrl) -> String {
        let is_public = |name: &str| self.option(url, name).is_some_and(|option| option.public);
        Shown(url, is_public).to_string()
    }

    /// Returns `url` in a form that identifies the place: without user info, secrets and the
    /// options that only tune, and with the others sorted.
    #[must_use]
    pub fn identity(&self, url: &SinkUrl) -> SinkUrl {
        self.retaining(url, |option| option.public && !option.tuning)
            .sorted()
    }

    /// Keeps only those options of `url` that the sink knows and `keep` accepts.
    fn retaining(&self, url: &SinkUrl, keep: impl Fn(&SinkOption) -> bool) -> SinkUrl {
        let wanted = |name: &str| self.option(url, name).is_some_and(&keep);
        url.clone().retaining(wanted)
    }

    /// Returns the cargo feature, on or off, that adds the sink of a scheme, if a linked crate has
    /// registered it with [`register_sink_hint!`](crate::register_sink_hint).
    #[must_use]
    pub fn feature(scheme: &str) -> Option<&'static str> {
        let mut hints = inventory::iter::<SinkHint>();
        hints
            .find(|hint| hint.scheme == scheme)
            .map(|hint| hint.feature)
    }

    /// Returns the option called `name` of the sink for `url`, if it has one.
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
