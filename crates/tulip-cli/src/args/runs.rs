//! `tulip runs`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::resume::StateFolder;
use crate::values;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_long_help = "\
Runs are kept for 30 days, in the state folder.

Examples:
  tulip runs
  tulip runs show last
  tulip runs show 2026-11-28T02 --all
  tulip runs prune --older-than 7d
  tulip export --retry-failed last --to s3://lake/tulip")]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Print one JSON object per run
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show a run and the exports that it has not stored
    Show(ShowRunArgs),
    /// Remove old runs from the list
    Prune(PruneArgs),
    /// Move a damaged database aside and keep what can still be read
    Repair(RepairArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowRunArgs {
    /// Run to show: an id, the beginning of one, or last
    #[arg(default_value = "last")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Also show exports that are stored
    #[arg(long, help_heading = "Output")]
    pub(crate) all: bool,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Archives, receipts and manifests are not touched. A run in progress is kept.")]
pub(crate) struct PruneArgs {
    /// Minimum age of the runs to remove
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) older_than: Duration,
    /// Number of latest runs to keep, however old they are
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Limits")]
    pub(crate) keep: usize,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Print one JSON object per run
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
No other tulip process may use the state folder at the same time. The old
database is kept beside the new one, as tulip.db.damaged-TIME.

Examples:
  tulip runs repair
  tulip runs repair --state /var/lib/tulip --json")]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
