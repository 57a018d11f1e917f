//! What can be said on the command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tulip_archive::KeyTemplate;
use tulip_core::{ChecksumAlgorithm, JobId, MachineId};
use tulip_http::Network;

use crate::values;

/// Takes machine activity archives from Tulip to your own storage: whole, verified, with receipts.
#[derive(Debug, Parser)]
#[command(name = "tulip", version, max_term_width = 100, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Says more on stderr: -v what is done, -vv every call, -vvv everything
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// How log lines are written to stderr
    #[arg(
        long,
        value_enum,
        default_value_t,
        global = true,
        value_name = "FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Try it, without any Tulip instance:
    tulip demo

  Export every machine of your instance:
    export TULIP_BASE_URL=https://acme.tulip.co
    export TULIP_API_KEY=apikey.2_… TULIP_API_SECRET_FILE=/run/secrets/tulip
    tulip machines
    tulip export --all --to ./archives

Environment (flags go first; each but the last two also as NAME_FILE, the path of a mounted secret):
  TULIP_BASE_URL      the instance, https://acme.tulip.co
  TULIP_API_KEY       the API key, with TULIP_API_SECRET
  TULIP_API_SECRET    its secret; there is no flag for it
  TULIP_AUTH          instead of both: the \"Auth Header\" of Tulip's token page
  TULIP_WORKSPACE_ID  the workspace, for an account token
  TULIP_CA_FILE       more certificate authorities to trust (PEM)
  TULIP_STATE         where open exports are remembered, as --state
  AWS_… GOOGLE_… AZURE_…  credentials and settings of s3://, gs:// and az:// targets

Exit codes:
  0    all done
  1    anything else, or several exports that ended differently
  2    usage or configuration
  3    Tulip refused the credentials, or what they may do
  4    the job failed or missed its deadline at Tulip, the job or machine is unknown there, or it
       is not known whether an archive was started
  5    the target could not be reached or written, or has an object that --if-exists fail keeps
  6    tulip verify found an archive that is not what its receipt says
  130  interrupted";

/// Whatever is said on stderr: text, or one JSON object a line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the whole thing on a built-in Tulip emulator
    Demo(DemoArgs),
    /// Serves a Tulip emulator to try clients against
    Emulate(EmulateArgs),
    /// Tells how far an archive job is
    Status(StatusArgs),
    /// Lists the machines of the instance
    Machines(MachinesArgs),
    /// Exports archives of jobs or machines
    Export(ExportArgs),
    /// Finishes what earlier runs have begun and not finished, or gives it up
    Resume(ResumeArgs),
    /// Reads stored archives again and compares them with their receipts
    Verify(VerifyArgs),
    /// Lists the sinks that archives can go to, or checks one
    Sinks(SinksArgs),
    /// Prints shell completions
    Completions(CompletionsArgs),
}

/// The instance and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The instance [env: TULIP_BASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The API key; its secret comes from the environment [env: TULIP_API_KEY]
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// The workspace, for an account token [env: TULIP_WORKSPACE_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// More certificate authorities to trust, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// How long making a connection may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::some_time)]
    pub(crate) connect_timeout: Duration,
    /// How long a server may be silent inside a reply
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::some_time)]
    pub(crate) stall_timeout: Duration,
    /// How many connections one archive may be downloaded over. Large ones use as many as make it
    /// faster; with 1 there is one request for the whole
    #[arg(long, value_name = "N", default_value = "32", value_parser = values::at_least_one)]
    pub(crate) connections: NonZeroUsize,
    /// Download from http although the API is on https
    #[arg(long)]
    pub(crate) allow_http: bool,
    /// Download from this network too, for example 10.20.0.0/16. By default archives come from
    /// public addresses and from the kind of network that the API is on; can be given several times
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TULIP_ALLOW_NETWORK",
        value_delimiter = ','
    )]
    pub(crate) allow_network: Vec<Network>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip demo
  tulip demo --to /data/try --machines 12 --rows 1000000")]
pub(crate) struct DemoArgs {
    /// Where the archives go: a path or a URL
    #[arg(long, value_name = "URL", default_value = "./tulip-demo")]
    pub(crate) to: String,
    /// How many machines the emulator has
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::at_least_one)]
    pub(crate) machines: NonZeroUsize,
    /// How many records each archive has
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) rows: u64,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip emulate                          on a free port; paste what it prints into another shell
  tulip emulate --listen 127.0.0.1:8080 --machines 50 --rows 100000 --pending 10s")]
pub(crate) struct EmulateArgs {
    /// Where the API listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Where the asset host listens; by default a free port of the same address
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_assets: Option<SocketAddr>,
    /// How many machines there are
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::at_least_one)]
    pub(crate) machines: NonZeroUsize,
    /// How many records each archive has
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) rows: u64,
    /// How long a job takes, for example 5s
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration)]
    pub(crate) pending: Duration,
    /// Seed of all ids, secrets and records: the same seed gives the same instance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A job that has failed, or is unknown, ends with exit code 4.

Examples:
  tulip status evsLrbKLQgX8YWE4v
  tulip status evsLrbKLQgX8YWE4v --wait --timeout 10m --json")]
pub(crate) struct StatusArgs {
    /// The job's id
    pub(crate) job: JobId,
    /// Wait until the job is complete
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait: 90s, 10m, 1h; 0 waits as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, requires = "wait")]
    pub(crate) timeout: Duration,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct MachinesArgs {
    /// Print one JSON object per machine
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
#[command(after_long_help = "\
Exporting by machine starts a new archive at Tulip, which asks to do that sparingly. Each archive
is a full snapshot. An export that fails leaves what was at the target before. One that ends before
it is done is remembered: the same command again goes on with its job and its bytes. An archive
that is stored already, by this very job, is not downloaded again.

Fields of --name: {machine} {machine_name} {machine_type} {job} {workspace} {date} {year} {month}
{day} {time}; dates are in UTC. By default {machine}/{job}.csv, or {job}.csv for --job, which does
not tell the machine. Beside each object lies its receipt, _NAME.receipt.json.

Examples:
  tulip export --job evsLrbKLQgX8YWE4v --to ./archives
  tulip export --machine g56RCoZCtzv7borvp --to /data/tulip --digest sha256
  tulip export --all --to ./archives --name '{date}/{machine}.csv' --if-exists skip
  tulip export --all --to ./archives --concurrency 8 --json | jq -r .location
  tulip export --all --to s3://lake/tulip --sink-option storage_class=STANDARD_IA
  tulip export --all --to gs://lake/tulip --memory 80MiB")]
pub(crate) struct ExportArgs {
    /// Export the archives of these jobs
    #[arg(long, value_name = "JOB", num_args = 1.., group = "source")]
    pub(crate) job: Vec<JobId>,
    /// Start archives of these machines and export them
    #[arg(long, value_name = "ID", num_args = 1.., group = "source")]
    pub(crate) machine: Vec<MachineId>,
    /// Start archives of all machines and export them
    #[arg(long, group = "source")]
    pub(crate) all: bool,
    /// Where the archives go: a path or a URL (see `tulip sinks`)
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// How the objects are named
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) name: Option<KeyTemplate>,
    /// How checksums are computed: crc64nvme or sha256
    #[arg(long, value_name = "ALGORITHM", default_value_t)]
    pub(crate) digest: ChecksumAlgorithm,
    /// How long to wait for each job: 90s, 10m, 1h; 0 waits as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    /// What to do when an object is there already
    #[arg(long, value_enum, default_value_t, value_name = "RULE")]
    pub(crate) if_exists: ExistsRule,
    /// How many archives are exported at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one)]
    pub(crate) concurrency: NonZeroUsize,
    /// Accept archives whose last record does not end with a line break
    #[arg(long)]
    pub(crate) allow_unended: bool,
    /// Give up archives with more bytes than this, for example 50GiB
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) max_bytes: Option<u64>,
    /// Print one JSON object per export
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Remember nothing: another run cannot go on with this one
    #[arg(long, help_heading = "Resuming")]
    pub(crate) no_state: bool,
    /// How old a job that an earlier run has started may be to be gone on with; 0 starts another
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = values::duration, help_heading = "Resuming")]
    pub(crate) resume_within: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Where open exports are remembered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Resuming")]
pub(crate) struct StateFolder {
    /// Where open exports are remembered, without any secret; by default tulip in the user's state
    /// directory, ~/.local/state
    #[arg(long, value_name = "FOLDER", env = "TULIP_STATE")]
    pub(crate) state: Option<OsString>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
An export that was killed, interrupted or cut off stays open: its job, its target and what it has
written are remembered. The same tulip export again goes on with it, and tulip resume does so with
all of them. Options of a target that could be secrets are not remembered: give them again.

Examples:
  tulip resume --list
  tulip resume
  tulip resume --discard                   give up all that is open, and remove what it has left
  tulip resume --discard --machine g56RCoZCtzv7borvp
  tulip resume --discard --to s3://lake/tulip --older-than 24h
                                           also uploads there that nobody has finished")]
pub(crate) struct ResumeArgs {
    /// Only list what is open
    #[arg(long, conflicts_with = "discard")]
    pub(crate) list: bool,
    /// Give up what is open and remove what it has left
    #[arg(long)]
    pub(crate) discard: bool,
    /// Only what is open of these machines
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) machine: Vec<MachineId>,
    /// Only what is open of these jobs
    #[arg(long, value_name = "JOB", num_args = 1..)]
    pub(crate) job: Vec<JobId>,
    /// With --discard: only what goes to this target; and there also whatever anybody has begun
    /// and not finished, if it is old enough
    #[arg(long, value_name = "URL", requires = "discard")]
    pub(crate) to: Option<String>,
    /// With --to: how old that must be; what is newer may still be written
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = values::some_time, requires = "to")]
    pub(crate) older_than: Duration,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// How long to wait for each job: 90s, 10m, 1h; 0 waits as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    /// How many archives are exported at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one)]
    pub(crate) concurrency: NonZeroUsize,
    /// Print one JSON object per export
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Reads every archive below the target that has a receipt, and compares bytes, checksum and records.
An archive that is not what its receipt says, or is gone, ends in exit code 6. What has no receipt is
counted and is no failure: it may be anybody's.

Examples:
  tulip verify ./archives
  tulip verify s3://lake/tulip/2026-11 --concurrency 8 --json")]
pub(crate) struct VerifyArgs {
    /// Where the archives are: a path or a URL
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// How many archives are read at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one)]
    pub(crate) concurrency: NonZeroUsize,
    /// More certificate authorities to trust, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print one JSON object per archive
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum ExistsRule {
    /// Leave it and call that a success
    Skip,
    /// Replace it, at once and whole
    #[default]
    Overwrite,
    /// Leave it and call that a failure
    Fail,
}

/// What is said about a target beside its URL.
#[derive(Debug, Args)]
pub(crate) struct SinkSettings {
    /// An option of the target, as `tulip sinks` lists them; can be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) sink_option: Vec<String>,
    /// How much of each archive the target may hold in memory, for example 80MiB: the same as
    /// --sink-option memory=80MiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

impl SinkSettings {
    /// All options, by name. They are read here and not by the parser of the command line, which
    /// would show a wrong one in full: it can hold a secret.
    pub(crate) fn all(&self) -> Result<Vec<(String, String)>, String> {
        let memory = self.memory.iter();
        let memory = memory.map(|size| Ok(("memory".to_owned(), size.clone())));
        let named = self.sink_option.iter();
        named
            .map(|text| values::sink_option(text))
            .chain(memory)
            .collect()
    }
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Options go into the URL's query, s3://lake/tulip?region=eu-west-1, or into --sink-option. What is
not said there comes from the environment that the store's own tools use: AWS_… and the profiles of
~/.aws, GOOGLE_…, AZURE_….

Examples:
  tulip sinks
  tulip sinks check s3://lake/tulip
  tulip sinks check s3://lake/tulip --sink-option endpoint=https://minio.plant.example"
)]
pub(crate) struct SinksArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SinksCommand>,
    /// Print one JSON object per sink
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksCommand {
    /// Checks that a target can be reached and written, and leaves no object there
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The target: a path or a URL
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// More certificate authorities to trust, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip completions bash > /etc/bash_completion.d/tulip
  tulip completions zsh > \"${fpath[1]}/_tulip\"")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}
