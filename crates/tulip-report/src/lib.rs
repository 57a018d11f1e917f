#![doc = include_str!("../README.md")]

mod metrics;
mod summary;

pub use metrics::{Metrics, MetricsHistory};
pub use summary::{ItemSummary, RunEnd, RunSummary};
