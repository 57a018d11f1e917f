//! What the cases of the suite are run on.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use crate::ObjectKey;
use crate::conformance::Failure;
use crate::sink::Sink;

/// A sink, and a look at it from outside.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The sink.
    fn sink(&self) -> Arc<dyn Sink>;

    /// What another client of the same store sees under `key`; `None` where there is nothing.
    ///
    /// # Errors
    /// Whatever kept it from looking.
    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure>;

    /// What writes that were given up have left anywhere, by name: staged files, unfinished
    /// uploads. By default it is not looked for.
    ///
    /// # Errors
    /// Whatever kept it from looking.
    async fn leftovers(&self) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// A sink on the same store whose writes below `folder` fail sooner or later, if there is a way
    /// to make one.
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
        // Two runs that share a store differ in their hashers' keys, which are random.
        let run = RandomState::new().build_hasher().finish();
        Self {
            fixture,
            folder: format!("conformance/{run:016x}"),
        }
    }

    /// The key of this run's object of that name.
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
