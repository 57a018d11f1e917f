//! Options for progress, and for the files of a run.

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
    /// Write metrics in Prometheus' text format to this file when the run ends; counters continue
    /// from its previous content
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,
    /// Write an HTML report of the run to this file when it ends
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}
