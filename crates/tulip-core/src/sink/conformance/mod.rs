//! The conformance suite for sinks.
//!
//! An implementer makes a [`Fixture`], which provides the sink and reads its objects back in
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
//! The suite needs:
//! - **A store that may be written to.** It need not be empty: each run has its own keys, below
//!   `conformance/RUN/` with a random `RUN`, so runs on one store do not collide either. A run
//!   stores some 300 MB.
//! - **Cleanup by you.** The suite removes none of its objects, because a sink cannot. Remove
//!   `conformance/` afterwards, or use a store that ends with the test.
//! - **About 60 MB of memory**, besides the sink's own.
//! - **The runtime that the sink needs**, such as `#[tokio::test]`. The suite itself needs none,
//!   starts no task or thread, and does not sleep.
//! - **A [`Fixture::read`]** that sees what another client would see, without the sink's help.
//!
//! Features that a sink does not offer (probe, create-only, lookup, reading, resuming) are reported
//! as skipped. It must refuse all of them but the probe as
//! [`Unsupported`](super::SinkErrorKind::Unsupported). Implement [`Fixture::leftovers`] and
//! [`Fixture::failing`] if you can: without them the suite cannot see what is left behind, or what
//! happens after a failure.

mod cases;
mod content;
mod suite;

pub use suite::Fixture;
use suite::Suite;

pub use crate::conformance::{Case, CaseResult, Failure, Report};

/// Checks a sink. A failed case does not keep the others from running.
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
        "nothing is staged before the first write",
        atomicity::staging(suite).await,
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
        "a write that is dropped counts as failed",
        failure::dropped(suite).await,
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
