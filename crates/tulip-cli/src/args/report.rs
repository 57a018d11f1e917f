//! `tulip report`.

use std::path::PathBuf;

use clap::Args;

use super::resume::StateFolder;
use super::target::SinkSettings;

#[derive(Debug, Args)]
#[command(after_long_help = "\
The page needs no network. It shows the result of the run, failures and what to
do about them, a timeline, the activity of the machines, and bytes and records
compared with earlier nights. The run may be in progress, or killed.

The activity of the machines is read from the stored archives: from a folder on
this machine, or from --to.

Examples:
  tulip report --html report.html
  tulip report 2026-11-28T02 --to s3://lake/tulip --html report.html")]
pub(crate) struct ReportArgs {
    /// Run to show: an id, the beginning of one, or last
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
