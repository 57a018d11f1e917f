//! What every sink promises, checked.
//!
//! An implementer makes a [`Fixture`], which hands out the sink and reads its objects back by
//! another way, and runs the suite in a test:
//!
//! ```
//! # use std::sync::Arc;
//! # use tulip_core::ObjectKey;
//! # use tulip_core::sink::{Sink, async_trait, conformance::{self, Fixture, Failure}};
//! struct MyFixture { sink: Arc<dyn Sink>, folder: std::path::PathBuf }
//!
//! #[async_trait]
//! impl Fixture for MyFixture {
//!     fn sink(&self) -> Arc<dyn Sink> { self.sink.clone() }
//!     async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
//!         Ok(std::fs::read(self.folder.join(key.as_str())).ok())
//!     }
//! }
//!
//! async fn my_sink_keeps_the_contract(fixture: MyFixture) {
//!     conformance::run(&fixture).await.assert_passed();
//! }
//! ```
//!
//! What the suite needs:
//! - a store that may be written to: it stores some 300 MB below a folder of its own for each run,
//!   `conformance/RUN/`, and removes none of the objects;
//! - about 60 MB of memory beside the sink's own;
//! - a [`Fixture::read`] that sees what another client would see, without the sink's help;
//! - whatever runtime the sink itself needs; the suite has no wish of its own.
//!
//! What a sink does not offer (create-only, lookup, reading, resuming) has to be refused as
//! [`Unsupported`](super::SinkErrorKind::Unsupported), and is reported as skipped. Give the fixture
//! [`Fixture::leftovers`] and [`Fixture::failing`] where you can: without them the suite cannot see
//! what stays behind, nor what follows a failure.

mod cases;
mod content;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use super::Sink;
use crate::ObjectKey;

/// Why a case failed, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

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

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaseResult {
    /// The sink keeps the promise.
    Passed,
    /// It does not, and how that showed.
    Failed(String),
    /// It could not be checked, and why.
    Skipped(String),
}

/// One promise and how it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// The promise.
    pub name: &'static str,
    /// Whether it was kept.
    pub result: CaseResult,
}

/// All cases. `Display` gives one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    cases: Vec<Case>,
}

impl Report {
    /// The cases, in the order in which they ran.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Whether no case failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self
            .cases
            .iter()
            .any(|case| matches!(case.result, CaseResult::Failed(_)))
    }

    /// For tests.
    ///
    /// # Panics
    /// With the whole report, when a case failed.
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the sink breaks its contract:\n{self}");
    }

    fn add(&mut self, name: &'static str, result: Result<CaseResult, Failure>) {
        let result = result.unwrap_or_else(|failure| CaseResult::Failed(chain(failure.as_ref())));
        self.cases.push(Case { name, result });
    }
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            match &case.result {
                CaseResult::Passed => writeln!(f, "passed   {}", case.name)?,
                CaseResult::Failed(how) => writeln!(f, "FAILED   {}: {how}", case.name)?,
                CaseResult::Skipped(why) => writeln!(f, "skipped  {}: {why}", case.name)?,
            }
        }
        Ok(())
    }
}

/// One run of the suite: a fixture, and keys that no other run has.
struct Suite<'a> {
    fixture: &'a dyn Fixture,
    folder: String,
}

impl<'a> Suite<'a> {
    fn new(fixture: &'a dyn Fixture) -> Self {
        // Two runs that share a store differ in their hashers' keys, which are random.
        let run = RandomState::new().build_hasher().finish();
        Self {
            fixture,
            folder: format!("conformance/{run:016x}"),
        }
    }

    /// The key of this run's object of that name.
    fn key(&self, name: &str) -> Result<ObjectKey, Failure> {
        Ok(ObjectKey::new(&format!("{}/{name}", self.folder))?)
    }
}

impl<'a> Deref for Suite<'a> {
    type Target = dyn Fixture + 'a;

    fn deref(&self) -> &Self::Target {
        self.fixture
    }
}

/// Checks a sink. A case that fails does not keep the others from running.
pub async fn run(fixture: &dyn Fixture) -> Report {
    let suite = &Suite::new(fixture);
    use cases::{atomicity, capabilities, content as bytes, failure, keys, recovery};
    let mut report = Report::default();
    let mut add = |name: &'static str, result| report.add(name, result);
    add("a probe succeeds", capabilities::probe(suite).await);
    add(
        "nothing is visible before close",
        atomicity::before_close(suite).await,
    );
    add(
        "an overwritten object is intact until close",
        atomicity::overwriting(suite).await,
    );
    add("an abort leaves nothing", atomicity::aborting(suite).await);
    add(
        "a dropped writer leaves nothing visible",
        atomicity::dropping(suite).await,
    );
    add(
        "chunks of any size arrive in order",
        bytes::any_size(suite).await,
    );
    add(
        "many small chunks arrive in order",
        bytes::many_small(suite).await,
    );
    add("an empty object is an object", bytes::empty(suite).await);
    add(
        "concurrent writers do not mix",
        bytes::concurrent(suite).await,
    );
    add(
        "concurrent writers of one key do not mix",
        bytes::same_key(suite).await,
    );
    add("keys are kept as they are", keys::as_they_are(suite).await);
    add(
        "an error after a failed write stays an error",
        failure::stays(suite).await,
    );
    add(
        "an object that is there is kept if asked",
        capabilities::create(suite).await,
    );
    add(
        "a lookup finds what is there",
        capabilities::lookup(suite).await,
    );
    add(
        "what is stored can be read and is listed",
        recovery::reading(suite).await,
    );
    add(
        "what a writer has left can be resumed",
        recovery::resuming(suite).await,
    );
    add(
        "what a writer has left can be discarded",
        recovery::discarding(suite).await,
    );
    report
}

#[cfg(test)]
mod tests;
