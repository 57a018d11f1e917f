//! What survives a run: which exports it has planned, started and finished.
//!
//! A [`Ledger`] keeps it. [`MemoryLedger`] is one that ends with the process; the crate
//! `tulip-ledger` has one in a file.

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
