//! The record of a run that survives it: which exports it planned, started and finished.
//!
//! A [`Ledger`] keeps this record. A [`MemoryLedger`] lasts as long as the process; the crate
//! `tulip-ledger` has a ledger in a file.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod contract;
mod left;
mod log;
mod memory;

pub use contract::{BeginOutcome, Continue, Ledger, NewRun, RunOverview};
pub use left::LeftRuns;
pub use log::RunLog;
pub use memory::MemoryLedger;
