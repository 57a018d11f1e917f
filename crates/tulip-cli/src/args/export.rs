//! `tulip export`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tulip_archive::KeyTemplate;
use tulip_core::ChecksumAlgorithm;
use tulip_fleet::Shard;

use super::connection::{Connection, DownloadSettings};
use super::output::{ProgressSettings, RunFiles};
use super::resume::StateFolder;
use super::selection::SelectionArgs;
use super::target::SinkSettings;
use crate::values;

#[derive(Debug, Args)]
#[command(override_usage = "\
tulip export --all --to <URL> [OPTIONS]
       tulip export --retry-failed [<RUN>] --to <URL> [OPTIONS]
       tulip export --machine <MACHINE>... --to <URL> [OPTIONS]
       tulip export --job <JOB>... --to <URL> [OPTIONS]")]
#[command(after_long_help = "\
Exporting by machine starts a new archive at Tulip, which is expensive there.
Each archive is a full snapshot. A failed export leaves the target as it was.
If a run is interrupted, the same command continues it: it resumes the jobs and
downloads, and does not export again what is stored. An archive of a job that is
already stored is not downloaded again. Two runs never export the same machine
to the same target at once. A failed export does not stop the others, unless the
first five fail in the same way.

Fields of --name: {machine} {machine_name} {machine_type} {job} {workspace}
{date} {year} {month} {day} {time}; times are those of the start of the run,
in UTC. The default is {machine}/{job}.csv, or {job}.csv for --job, where the
machine is not known.
The receipt of an object is beside it, _NAME.receipt.json. A value that is too
long is cut and ends in ~ and a hash.

Examples:
  tulip export --job evsLrbKLQgX8YWE4v --to ./archives
  tulip export --machine g56RCoZCtzv7borvp --to /data/tulip --digest sha256
  tulip export --machine 'Mill 1,Mill 2' --to /data/tulip --dry-run
  tulip export --machine-type CNC --exclude '*test*' --to /data/tulip
  tulip export --all --to ./out --name '{date}/{machine}.csv' --if-exists skip
  tulip export --all --to ./out --json | jq -r 'select(.location) | .location'
  tulip export --all --to s3://lake --sink-option storage_class=STANDARD_IA
  tulip export --all --to gs://lake/tulip --memory 80MiB
  tulip export --machine 'Mill 1' --to - --receipt mill.json | gzip > mill.gz")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) settings: ExportSettings,
    /// Export only this part of the machines, for example 2/3; auto/3 takes the number from
    /// JOB_COMPLETION_INDEX
    #[arg(long, value_name = "I/N", value_parser = values::shard, help_heading = "Source")]
    pub(crate) shard: Option<Shard>,
    /// When to write a manifest to the target; auto: for runs of several exports
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Target"
    )]
    pub(crate) manifest: ManifestRule,
    /// Write the receipt to this file (with --to -)
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) receipt: Option<String>,
    /// Wait while another run exports the same machines to the same target
    #[arg(long, conflicts_with = "no_state", help_heading = "Limits")]
    pub(crate) wait: bool,
    /// Print what would be started and stored, and change nothing
    #[arg(short = 'n', long, help_heading = "Output")]
    pub(crate) dry_run: bool,
    /// Print one JSON object per export
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressSettings,
}

/// How archives are exported, and where to.
#[derive(Debug, Args)]
pub(crate) struct ExportSettings {
    /// Target of the archives: a path or a URL (see `tulip sinks`), or - for stdout
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Template of the objects' names
    #[arg(long, value_name = "TEMPLATE", help_heading = "Naming")]
    pub(crate) name: Option<KeyTemplate>,
    /// Checksum algorithm of the receipts
    #[arg(long, value_name = "ALGORITHM", value_parser = values::checksum(), default_value_t, help_heading = "Target")]
    pub(crate) digest: ChecksumAlgorithm,
    /// Maximum time to wait for each job, for example 90s or 1h; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) timeout: Duration,
    /// What to do when the object already exists
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "RULE",
        help_heading = "Target"
    )]
    pub(crate) if_exists: ExistsRule,
    /// Number of archives to download at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    /// Maximum number of jobs that are pending at Tulip at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) max_pending: NonZeroUsize,
    /// Maximum number of jobs to start in any minute; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 60, help_heading = "Limits")]
    pub(crate) start_rate: usize,
    /// Maximum time for the whole run; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) run_timeout: Duration,
    /// Maximum time for each machine, including retries; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) machine_timeout: Duration,
    /// Number of times to try each export; 3 suits a nightly run, 1 does not retry
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::attempts, help_heading = "Limits")]
    pub(crate) attempts: NonZeroU32,
    /// Pause before a failed job is started again; it doubles with each attempt
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) retry_delay: Duration,
    /// Allow an archive without records to replace one that has some
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_empty: bool,
    /// Accept archives whose last record has another number of fields than the header
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_ragged: bool,
    /// Accept archives whose last record does not end with a line break
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_missing_final_newline: bool,
    /// Maximum size of an archive, for example 50GiB
    #[arg(long, value_name = "SIZE", value_parser = values::some_size, help_heading = "Checks")]
    pub(crate) max_bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Do not save state; an interrupted run cannot be resumed
    #[arg(long, help_heading = "Resume")]
    pub(crate) no_state: bool,
    /// Maximum age of an earlier run or job to resume; 0 always starts new ones
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = values::duration, help_heading = "Resume")]
    pub(crate) resume_within: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) downloads: DownloadSettings,
    #[command(flatten)]
    pub(crate) files: RunFiles,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum ExistsRule {
    /// Keep it; the export succeeds
    Skip,
    /// Replace it atomically
    #[default]
    Overwrite,
    /// Keep it; the export fails
    Fail,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestRule {
    /// For several exports
    #[default]
    Auto,
    /// For one export too
    Always,
    /// For none
    Never,
}
