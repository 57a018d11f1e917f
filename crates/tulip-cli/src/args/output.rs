//! What is shown, and how.

use clap::Args;

/// Whether exports show their progress.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ProgressSettings {
    /// Do not show progress on the terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}
