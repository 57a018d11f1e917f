//! `tulip resume`, and the state folder.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{ArgGroup, Args};
use tulip_core::{JobId, MachineId};

use super::connection::{Connection, DownloadSettings};
use super::output::ProgressSettings;
use super::target::SinkSettings;
use crate::values;

/// Where incomplete exports are remembered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Resume")]
pub(crate) struct StateFolder {
    /// Folder for the state of runs and exports, without any secret; by default
    /// ~/.local/state/tulip
    #[arg(long, value_name = "FOLDER", env = "TULIP_STATE")]
    pub(crate) state: Option<OsString>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("discarded").multiple(true))]
#[command(after_long_help = "\
The state folder has the job, the target and the progress of every export that
ended early. The same tulip export resumes it, and tulip resume resumes all.
Options of a target that could be secrets are not saved: give them again.

An export of another instance, or one that another process is running, is
skipped, and the exit code is not 0.

Examples:
  tulip resume --list
  tulip resume
  tulip resume --discard --machine g56RCoZCtzv7borvp
  tulip resume --discard --all
  tulip resume --discard --to s3://lake/tulip --older-than 24h")]
pub(crate) struct ResumeArgs {
    /// List unfinished exports
    #[arg(long, conflicts_with = "discard", help_heading = "Resume")]
    pub(crate) list: bool,
    /// Discard unfinished exports and remove what they have written: those of --machine, --job or
    /// --to, or --all
    #[arg(long, requires = "discarded", help_heading = "Resume")]
    pub(crate) discard: bool,
    /// With --discard: every unfinished export
    #[arg(
        long,
        requires = "discard",
        group = "discarded",
        help_heading = "Source"
    )]
    pub(crate) all: bool,
    /// Only exports of these machines
    #[arg(long, value_name = "ID", num_args = 1.., group = "discarded", help_heading = "Source")]
    pub(crate) machine: Vec<MachineId>,
    /// Only exports of these jobs
    #[arg(long, value_name = "JOB", num_args = 1.., group = "discarded", help_heading = "Source")]
    pub(crate) job: Vec<JobId>,
    /// With --discard: only exports to this target; also removes stale uploads and staged files
    /// there, including those of other programs
    #[arg(
        long,
        value_name = "URL",
        requires = "discard",
        group = "discarded",
        help_heading = "Target"
    )]
    pub(crate) to: Option<String>,
    /// With --to: minimum age of stale uploads; newer ones may still be written
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = values::some_time, requires = "to", help_heading = "Target")]
    pub(crate) older_than: Duration,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Maximum time to wait for each job, for example 90s or 1h; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) timeout: Duration,
    /// Number of archives to export at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) downloads: DownloadSettings,
    /// Print one JSON object per export
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressSettings,
}
