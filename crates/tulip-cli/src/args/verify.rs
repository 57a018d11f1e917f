//! `tulip verify`.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args};

use super::connection::{Connection, DownloadSettings};
use super::output::ProgressSettings;
use super::resume::StateFolder;
use super::target::SinkSettings;
use crate::failure::Failure;
use crate::values;

/// The heading of the options that only repairs use.
const WITH_REPAIR: &str = "With --repair";

/// The options of that group that other commands share.
const ONLY_REPAIRS_READ: [&str; 11] = [
    "state",
    "base_url",
    "api_key",
    "api_secret_file",
    "workspace",
    "allow_insecure_http",
    "connections",
    "min_rate",
    "allow_http",
    "allow_network",
    "memory",
];

fn grouped(arg: Arg) -> Arg {
    match ONLY_REPAIRS_READ.contains(&arg.get_id().as_str()) {
        true => arg.help_heading(WITH_REPAIR),
        false => arg,
    }
}

/// Refuses options that only a repair uses. Variables and the config file may set them, because
/// they also serve other commands.
///
/// # Errors
/// [`Failure`] that names the option.
pub(crate) fn refuse_unread(matches: &ArgMatches) -> Result<(), Failure> {
    if matches.get_flag("repair") {
        return Ok(());
    }
    let is_typed = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    match ONLY_REPAIRS_READ.iter().find(is_typed) {
        Some(id) => {
            let option = id.replace('_', "-");
            let what = format!("--{option} is only used with --repair");
            Err(Failure::usage(what).with_hint("add --repair, or leave it out"))
        }
        None => Ok(()),
    }
}

#[derive(Debug, Args)]
#[command(mut_args = grouped)]
#[command(after_long_help = "\
Reads every archive below the target that has a receipt, and compares bytes,
checksum and records. An archive that is missing or does not match its receipt
ends in exit code 6. Objects without a receipt are counted and are no failure:
they may not be archives.

With --repair such an archive is exported again, to the same key: from the same
job if Tulip still has it, otherwise from a new archive of the machine. Repaired
archives are verified again; intact ones are not touched.

Examples:
  tulip verify ./archives
  tulip verify s3://lake/tulip/2026-11 --concurrency 8 --json
  tulip verify /data/tulip --repair --dry-run
  tulip verify /data/tulip --repair")]
pub(crate) struct VerifyArgs {
    /// Target of the archives: a path or a URL; by default that of the config file
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Export archives again that are missing or do not match
    #[arg(long, help_heading = "Target")]
    pub(crate) repair: bool,
    /// Number of archives to read, or to repair, at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    /// Maximum time to wait for each job, for example 90s or 1h; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, requires = "repair", help_heading = WITH_REPAIR)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) downloads: DownloadSettings,
    /// Print what would be exported again, and change nothing
    #[arg(short = 'n', long, requires = "repair", help_heading = WITH_REPAIR)]
    pub(crate) dry_run: bool,
    /// Print one JSON object per archive
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressSettings,
}
