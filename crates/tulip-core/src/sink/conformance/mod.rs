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
//! The suite needs no particular runtime, keeps at most about 60 MB in memory, and stores some
//! 300 MB, of which objects below `conformance/` remain.

mod cases;
mod content;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{OpenOptions, Sink};
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

    /// A sink on the same store whose writes fail sooner or later, if there is a way to make one.
    async fn failing(&self) -> Option<Arc<dyn Sink>> {
        None
    }
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
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
    pub verdict: Verdict,
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
            .any(|case| matches!(case.verdict, Verdict::Failed(_)))
    }

    /// For tests.
    ///
    /// # Panics
    /// With the whole report, when a case failed.
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the sink breaks its contract:\n{self}");
    }

    fn add(&mut self, name: &'static str, result: Result<Verdict, Failure>) {
        let verdict = result.unwrap_or_else(|failure| Verdict::Failed(chain(failure.as_ref())));
        self.cases.push(Case { name, verdict });
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
            match &case.verdict {
                Verdict::Passed => writeln!(f, "passed   {}", case.name)?,
                Verdict::Failed(how) => writeln!(f, "FAILED   {}: {how}", case.name)?,
                Verdict::Skipped(why) => writeln!(f, "skipped  {}: {why}", case.name)?,
            }
        }
        Ok(())
    }
}

/// Checks a sink. A case that fails does not keep the others from running.
pub async fn run(fixture: &dyn Fixture) -> Report {
    use cases::{atomicity, capabilities, content as bytes, failure, keys, recovery};
    let mut report = Report::default();
    let mut add = |name: &'static str, result| report.add(name, result);
    add("a probe succeeds", capabilities::probe(fixture).await);
    learn(fixture).await;
    add(
        "nothing is visible before close",
        atomicity::before_close(fixture).await,
    );
    add(
        "an overwritten object is intact until close",
        atomicity::overwriting(fixture).await,
    );
    add(
        "an abort leaves nothing",
        atomicity::aborting(fixture).await,
    );
    add(
        "a dropped writer leaves nothing visible",
        atomicity::dropping(fixture).await,
    );
    add(
        "chunks of any size arrive in order",
        bytes::any_size(fixture).await,
    );
    add(
        "many small chunks arrive in order",
        bytes::many_small(fixture).await,
    );
    add("an empty object is an object", bytes::empty(fixture).await);
    add(
        "concurrent writers do not mix",
        bytes::concurrent(fixture).await,
    );
    add(
        "concurrent writers of one key do not mix",
        bytes::same_key(fixture).await,
    );
    add(
        "keys are kept as they are",
        keys::as_they_are(fixture).await,
    );
    add(
        "an error after a failed write stays an error",
        failure::stays(fixture).await,
    );
    add(
        "an object that is there is kept if asked",
        capabilities::create(fixture).await,
    );
    add(
        "a lookup finds what is there",
        capabilities::lookup(fixture).await,
    );
    add(
        "what is stored can be read and is listed",
        recovery::reading(fixture).await,
    );
    add(
        "what a writer has left is gone on with",
        recovery::resuming(fixture).await,
    );
    add(
        "what a writer has left can be discarded",
        recovery::discarding(fixture).await,
    );
    report
}

/// Some sinks learn only from the first object that must be new whether their store can promise
/// that.
async fn learn(fixture: &dyn Fixture) {
    let options = OpenOptions::default().with_mode(super::WriteMode::Create);
    if let Ok(key) = cases::key("learn.csv")
        && let Ok(writer) = fixture.sink().open(&key, &options).await
    {
        // What an abort is worth is asked later.
        let _ = writer.abort().await;
    }
}

#[cfg(test)]
mod tests;
