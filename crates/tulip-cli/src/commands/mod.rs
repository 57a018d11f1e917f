//! The commands, one per module.

pub(crate) mod completions;
pub(crate) mod config;
#[cfg(feature = "emulator")]
pub(crate) mod demo;
pub(crate) mod doctor;
#[cfg(feature = "emulator")]
pub(crate) mod emulate;
pub(crate) mod export;
pub(crate) mod machines;
pub(crate) mod man;
mod manifest;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod sinks;
pub(crate) mod status;
pub(crate) mod verify;

mod activity;
mod current_run;
mod dry_run;
mod export_line;
mod fleet;
mod repair;
mod run_record;
mod selection;
mod summary;
mod target;
mod verification_line;
