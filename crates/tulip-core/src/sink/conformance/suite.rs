//! The fixture and keys that the cases run on.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use crate::ObjectKey;
use crate::conformance::Failure;
use crate::sink::Sink;

/// A sink, and an outside view of its store.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Returns the sink.
    fn sink(&self) -> Arc<dyn Sink>;

    /// Returns what another client of the same store sees under `key`, or `None` if there is
    /// nothing.
    ///
    /// # Errors
    /// Any error that kept it from looking.
    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure>;

    /// Returns the names of everything that abandoned writes have left anywhere: staged files,
    /// unfinished uploads. By default it does not look.
    ///
    /// # Errors
    /// Any error that kept it from looking.
    async fn leftovers(&self) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// Returns a sink on the same store whose writes below `folder` fail sooner or later, if it can
    /// make one.
    async fn failing(&self, folder: &ObjectKey) -> Option<Arc<dyn Sink>> {
        let _ = folder;
        None
    }
}

/// One run of the suite: a fixture, and keys that no other run has.
pub(super) struct Suite<'a> {
    fixture: &'a dyn Fixture,
    folder: String,
}

impl<'a> Suite<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture) -> Self {
        // The keys of `RandomState` are random, so runs that share a store get different folders.
        let run = RandomState::new().build_hasher().finish();
        Self {
            fixture,
            folder: format!("conformance/{run:016x}"),
        }
    }

    /// Returns the key of this run's object called `name`.
    pub(super) fn key(&self, name: &str) -> Result<ObjectKey, Failure> {
        Ok(ObjectKey::new(&format!("{}/{name}", self.folder))?)
    }
}

impl<'a> Deref for Suite<'a> {
    type Target = dyn Fixture + 'a;

    fn deref(&self) -> &Self::Target {
        self.fixture
    }
}
