//! `tulip report`.

use std::path::PathBuf;

use clap::Args;

use super::resume::StateFolder;
use super::target::SinkSettings;

#[derive(Debug, Args)]
#[command(after_long_help = "\
One page that needs no network: how the run went, what failed and what to do, a
timeline, what machines did, and how bytes and records compare with the nights
before. Also of a run that is under way, or was killed.

What machines did is read from the archives that the run has stored: from a
folder on this machine, or from --to.

Examples:
  tulip report --html report.html
  tulip report 2026-11-28T02 --to s3://lake/tulip --html report.html")]
pub(crate) struct ReportArgs {
    /// The run: its id or the beginning of it, or last
    #[arg(default_value = "last")]
    pub(crate) run: String,
    /// Target of the run, to read its archives from
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// File with more certificate authorities to trust (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca_file: Option<PathBuf>,
    /// File to write, as an HTML page
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: PathBuf,
}
