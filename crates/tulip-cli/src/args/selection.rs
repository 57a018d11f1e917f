//! Which archives are exported.

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
    /// Start archives of these machines and export them: ids, or names that only one machine has
    #[arg(long, value_name = "MACHINE", num_args = 1.., value_delimiter = ',', value_parser = values::some_text)]
    pub(crate) machine: Vec<String>,
    /// Start archives of all machines and export them
    #[arg(long, conflicts_with_all = ["machine", "machines_from"])]
    pub(crate) all: bool,
    /// Export again what an earlier run to this target has not stored, as a part of that run: its id
    /// or the beginning of it; without one, the latest
    #[arg(
        long,
        value_name = "RUN",
        num_args = 0..=1,
        default_missing_value = "last",
        conflicts_with_all = ["job", "machine", "all", "machines_from", "machine_type", "include", "exclude", "shard", "no_state"]
    )]
    pub(crate) retry_failed: Option<String>,
    /// Export the machines in this file, one id or name a line; - reads stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) machines_from: Option<PathBuf>,
    /// Only machines of types whose name or id matches
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) machine_type: Vec<Glob>,
    /// Only machines whose name, id or type matches
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<Glob>,
    /// No machine whose name, id or type matches
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<Glob>,
}
