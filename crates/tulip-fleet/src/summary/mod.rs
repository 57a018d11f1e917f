//! Summaries of a run and its exports, as plain values.

mod counts;
mod item;
mod run;

pub use counts::Counts;
pub use item::{ItemSummary, PhaseSummary};
pub use run::{RunEnd, RunSummary};
