#![doc = include_str!("../README.md")]

mod database;
mod error;
mod exports;
mod folder;
mod ledger;
mod process;
mod repair;
mod runs;
mod schema;
mod writer;

pub use ledger::SqliteLedger;
pub use repair::Repaired;
