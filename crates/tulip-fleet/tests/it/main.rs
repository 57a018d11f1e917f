//! Runs of many machines against a Tulip emulator over loopback.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod budget;
mod ledger;
mod plan;
mod preview;
mod retry;
mod run;
mod support;
mod types;
