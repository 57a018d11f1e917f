//! What is known of a run and of its exports, in plain values.

mod counts;
mod item;
mod run;

pub use counts::Counts;
pub use item::{ItemSummary, PhaseSummary};
pub use run::{RunEnd, RunSummary};
