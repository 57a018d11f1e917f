#![doc = include_str!("../README.md")]

mod activity;
mod html;
mod metrics;
mod summary;

pub use activity::{Activity, ActivityError, ActivityReader};
pub use html::HtmlReport;
pub use metrics::{Metrics, MetricsHistory};
pub use summary::{ItemSummary, PhaseSummary, RunEnd, RunSummary};
