//! `tulip doctor`

use std::num::NonZeroUsize;

use clap::Args;

use super::connection::Connection;
use super::resume::StateFolder;
use super::target::SinkSettings;
use crate::values;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Run it with the options, variables and config file of the export that fails.
Each check is one line: OK, WARN, FAIL, or SKIP if it could not be made. No
archive is started, and nothing is left at the target or in the state folder.
The exit code is 1 if a check fails, and 0 otherwise. With -q only warnings and
failures are printed.

Examples:
  tulip doctor --to s3://lake/tulip
  tulip doctor --profile night --json | jq -r 'select(.status == \"fail\")'")]
pub(crate) struct DoctorArgs {
    /// Target of the archives: a path or a URL (see `tulip sinks`)
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Number of archives that the export downloads at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Skip the checks of the state, for an export with --no-state
    #[arg(long, help_heading = "Resume")]
    pub(crate) no_state: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Maximum number of connections that the export uses for one archive
    #[arg(long, value_name = "N", default_value = "32", value_parser = values::at_least_one, help_heading = "Connection")]
    pub(crate) connections: NonZeroUsize,
    /// Print one JSON object per check
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
