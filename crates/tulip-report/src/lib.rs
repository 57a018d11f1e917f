#![doc = include_str!("../README.md")]

mod activity;
mod html;
mod metrics;

pub use activity::{Activity, ActivityError, ActivityReader};
pub use html::HtmlReport;
pub use metrics::{Metrics, MetricsHistory};
