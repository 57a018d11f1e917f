//! The arguments of `tulip demo` and `tulip emulate`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use super::output::ProgressSettings;
use crate::values;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip demo
  tulip demo --to /data/try --machines 12 --rows 1000000")]
pub(crate) struct DemoArgs {
    /// Target of the archives: a path or a URL
    #[arg(
        long,
        value_name = "URL",
        default_value = "./tulip-demo",
        help_heading = "Target"
    )]
    pub(crate) to: String,
    /// Number of machines
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::at_least_one, help_heading = "Emulator")]
    pub(crate) machines: NonZeroUsize,
    /// Number of records in each archive
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        help_heading = "Emulator"
    )]
    pub(crate) rows: u64,
    #[command(flatten)]
    pub(crate) progress: ProgressSettings,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip emulate
  tulip emulate --listen 127.0.0.1:8080 --machines 50 --pending 10s")]
pub(crate) struct EmulateArgs {
    /// Address of the API; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        help_heading = "Emulator"
    )]
    pub(crate) listen: SocketAddr,
    /// Address of the archive host; by default a free port of the same address
    #[arg(long, value_name = "ADDR", help_heading = "Emulator")]
    pub(crate) listen_assets: Option<SocketAddr>,
    /// Number of machines
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::at_least_one, help_heading = "Emulator")]
    pub(crate) machines: NonZeroUsize,
    /// Number of records in each archive
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        help_heading = "Emulator"
    )]
    pub(crate) rows: u64,
    /// Time until a job is complete, for example 5s
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration, help_heading = "Emulator")]
    pub(crate) pending: Duration,
    /// Seed of all ids, secrets and records: the same seed gives the same instance
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Emulator")]
    pub(crate) seed: u64,
}
