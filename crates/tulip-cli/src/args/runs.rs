//! `tulip runs`.

use clap::{Args, Subcommand};

use super::resume::StateFolder;

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Move a damaged database aside and keep what can still be read
    Repair(RepairArgs),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
No other tulip process may use the state folder meanwhile. The old database is
kept beside the new one, as tulip.db.damaged-TIME.

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
