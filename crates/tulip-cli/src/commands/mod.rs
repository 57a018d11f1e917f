//! The commands, one each.

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
pub(crate) mod page;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod sinks;
pub(crate) mod status;
pub(crate) mod verify;

mod dry_run;
mod fleet;
mod ledger;
mod read_back;
mod record;
mod repair;
mod report;
mod selection;
mod summary;
mod target;
