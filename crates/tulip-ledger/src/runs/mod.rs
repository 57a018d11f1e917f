//! Runs and their exports, as rows.

mod begin;
mod read;
mod record;

pub(crate) use begin::begin;
pub(crate) use read::{find, list};
pub(crate) use record::{end, is_in_force, record, release, remove};
