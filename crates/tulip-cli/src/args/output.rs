//! What is shown, and how.

use std::path::PathBuf;

use clap::Args;

/// Whether exports show their progress.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ProgressSettings {
    /// Do not show progress on the terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// Files that a run writes when it ends, however it ends.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct RunFiles {
    /// File to write metrics to when the run ends, for Prometheus' node_exporter; counters and times
    /// of last success go on from what it holds
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,
    /// File to write a report for people to when the run ends, as an HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}
