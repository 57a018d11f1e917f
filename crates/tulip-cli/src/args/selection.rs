//! The selection of archives to export.

use std::path::PathBuf;

use clap::Args;
use tulip_core::JobId;
use tulip_fleet::Glob;

use crate::values;

/// Jobs, or machines: all, named ones, and of these the ones that match.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
#[group(id = "source", required = true, multiple = true)]
pub(crate) struct SelectionArgs {
    /// Export the archives of these jobs
    #[arg(
        long,
        value_name = "JOB",
        num_args = 1..,
        conflicts_with_all = ["machine", "all", "machines_from", "machine_type", "include", "exclude"]
    )]
    pub(crate) job: Vec<JobId>,
    /// Export new archives of these machines, by id or unique name
    #[arg(long, value_name = "MACHINE", num_args = 1.., value_delimiter = ',', value_parser = values::some_text)]
    pub(crate) machine: Vec<String>,
    /// Export new archives of all machines
    #[arg(long, conflicts_with_all = ["machine", "machines_from"])]
    pub(crate) all: bool,
    /// Retry the exports that an earlier run to this target has not stored: an id or the beginning
    /// of one; by default the latest
    #[arg(
        long,
        value_name = "RUN",
        num_args = 0..=1,
        default_missing_value = "last",
        conflicts_with_all = ["job", "machine", "all", "machines_from", "machine_type", "include", "exclude", "shard", "no_state"]
    )]
    pub(crate) retry_failed: Option<String>,
    /// Read machines from this file, one id or name per line; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) machines_from: Option<PathBuf>,
    /// Only machines whose type matches, by name or id
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) machine_type: Vec<Glob>,
    /// Only machines whose name, id or type matches
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<Glob>,
    /// Exclude machines whose name, id or type matches
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<Glob>,
}
