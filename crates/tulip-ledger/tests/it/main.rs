//! The ledger, on real files.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod bad_disk;
mod conformance;
mod folder;
mod processes;
mod repair;
mod support;
mod unreadable;
