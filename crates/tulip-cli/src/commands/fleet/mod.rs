//! Many exports in one run: planned, checked for keys that collide, run, and counted.

mod breaker;
mod keys;
mod outcome;
mod plan;
mod run;

pub(crate) use outcome::{Ended, Error, NotStarted};
pub(crate) use plan::{Plan, Planned, each_once, sources_of};
pub(crate) use run::run;
