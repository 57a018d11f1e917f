//! The command as a person or a script runs it, against an emulator over loopback.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod bad_input;
mod config;
mod crash;
mod crash_runs;
#[cfg(target_os = "linux")]
mod disks;
mod doctor;
mod exit_codes;
mod fleet;
mod leaks;
mod ledger;
mod manifest;
mod messages;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod plants;
mod repair;
mod report;
mod resume;
mod retry;
mod runs;
mod s3;
mod selection;
mod shard;
mod signals;
#[cfg(target_os = "linux")]
mod state;
mod stdout;
mod support;
