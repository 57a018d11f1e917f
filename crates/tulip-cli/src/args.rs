//! The command line.

#[cfg(feature = "emulator")]
mod emulator;
mod output;
mod selection;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tulip_archive::KeyTemplate;
use tulip_core::{ChecksumAlgorithm, JobId, MachineId};
use tulip_http::Network;

#[cfg(feature = "emulator")]
pub(crate) use self::emulator::{DemoArgs, EmulateArgs};
pub(crate) use self::output::ProgressSettings;
pub(crate) use self::selection::SelectionArgs;
use crate::values;

/// Export machine activity archives from Tulip to your storage, verified
#[derive(Debug, Parser)]
#[command(name = "tulip", version, max_term_width = 80, after_long_help = after_help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Increase verbosity: -v shows steps, -vv every call, -vvv everything
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Format of messages on stderr
    #[arg(
        long,
        value_enum,
        default_value_t,
        global = true,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub(crate) log_format: LogFormat,
    /// Print only errors and warnings, and what --json asks for
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Output"
    )]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Examples, environment and exit codes, without commands that this build does not have.
fn after_help() -> String {
    let demo = match cfg!(feature = "emulator") {
        true => "  Try it, without any Tulip instance:\n    tulip demo\n\n",
        false => "",
    };
    format!("Examples:\n{demo}{AFTER_HELP}")
}
/// Where settings come from that neither options nor variables give.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigFile {
    /// Config file; by default tulip.toml in the working directory, or else in the user's config
    /// directory, ~/.config/tulip
    #[arg(long, value_name = "FILE", env = "TULIP_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Profile of the config file to use
    #[arg(long, value_name = "NAME", env = "TULIP_PROFILE", global = true)]
    pub(crate) profile: Option<String>,
    /// Do not read a config file
    #[arg(long, global = true)]
    pub(crate) no_config: bool,
}

const AFTER_HELP: &str = "\
\x20 Export every machine of your instance:
    export TULIP_BASE_URL=https://acme.tulip.co
    export TULIP_API_KEY=apikey.2_… TULIP_API_SECRET_FILE=/run/secrets/tulip
    tulip machines
    tulip export --all --to ./archives

Environment (options take precedence; the first five also as NAME_FILE, the
path of a mounted secret). The rest comes from the config file:
  TULIP_BASE_URL      the instance, https://acme.tulip.co
  TULIP_API_KEY       the API key, with TULIP_API_SECRET
  TULIP_API_SECRET    its secret; there is no flag for it
  TULIP_AUTH          instead of both: the \"Auth Header\" of Tulip's token page
  TULIP_WORKSPACE_ID  the workspace, for an account token
  TULIP_CA_FILE       more certificate authorities to trust (PEM)
  TULIP_STATE         folder that remembers incomplete exports, as --state
  TULIP_CONFIG        the config file, as --config
  TULIP_PROFILE       its profile, as --profile
  AWS_… GOOGLE_… AZURE_…
                      credentials and settings of s3://, gs:// and az:// targets

Exit codes:
  0    all done
  1    some exports of a run failed, all failed in different ways, or anything
       else, for example a missed deadline
  2    usage or configuration
  3    Tulip refused the credentials, or a scope is missing
  4    the job failed at Tulip, the job or machine is unknown there, or it is not
       known whether an archive was started
  5    the target could not be reached or written, or the object that is there
       was kept
  6    tulip verify found an archive that does not match its receipt
  130  interrupted";

/// Messages on stderr: text, or one JSON object a line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run exports against a built-in Tulip emulator
    #[cfg(feature = "emulator")]
    Demo(DemoArgs),
    /// Serve a Tulip emulator to try clients against
    #[cfg(feature = "emulator")]
    Emulate(EmulateArgs),
    /// Show the status of a job
    Status(StatusArgs),
    /// List the machines of the instance
    Machines(MachinesArgs),
    /// Export archives of jobs or machines
    Export(ExportArgs),
    /// Resume or discard unfinished exports
    Resume(ResumeArgs),
    /// Compare stored archives with their receipts
    Verify(VerifyArgs),
    /// List the sinks that archives can go to, or check one
    Sinks(SinksArgs),
    /// Show settings and where they come from, or trust a config file
    Config(ConfigArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}

impl Command {
    /// Whether no progress is to be shown.
    pub(crate) fn has_no_progress(&self) -> bool {
        match self {
            #[cfg(feature = "emulator")]
            Self::Demo(args) => args.progress.no_progress,
            Self::Export(args) => args.progress.no_progress,
            Self::Resume(args) => args.progress.no_progress,
            _ => false,
        }
    }

    /// The connection of a command that has one.
    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Status(args) => Some(&mut args.connection),
            Self::Machines(args) => Some(&mut args.connection),
            Self::Export(args) => Some(&mut args.settings.connection),
            Self::Resume(args) => Some(&mut args.connection),
            Self::Config(ConfigArgs {
                command: ConfigCommand::Show(args),
            }) => Some(&mut args.settings.connection),
            _ => None,
        }
    }

    /// The settings of the target of a command that has them.
    pub(crate) fn sink_settings(&mut self) -> Option<&mut SinkSettings> {
        match self {
            Self::Export(args) => Some(&mut args.settings.sink),
            Self::Resume(args) => Some(&mut args.sink),
            Self::Verify(args) => Some(&mut args.sink),
            Self::Sinks(SinksArgs {
                command: Some(SinksCommand::Check(args)),
                ..
            }) => Some(&mut args.sink),
            Self::Config(ConfigArgs {
                command: ConfigCommand::Show(args),
            }) => Some(&mut args.settings.sink),
            _ => None,
        }
    }
}

/// A secret that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The instance, the credentials and the network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// URL of the instance [env: TULIP_BASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// API key; its secret comes from the environment [env: TULIP_API_KEY]
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// File that holds the API secret [env: TULIP_API_SECRET_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) api_secret_file: Option<PathBuf>,
    /// The secret of the config file: there is no option for it.
    #[arg(skip)]
    pub(crate) api_secret: Option<Secret>,
    /// Workspace, for an account token [env: TULIP_WORKSPACE_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// Certificate authorities to trust in addition, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Timeout for making a connection
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::some_time)]
    pub(crate) connect_timeout: Duration,
    /// Timeout for the next bytes of a reply
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::some_time)]
    pub(crate) read_timeout: Duration,
    /// Maximum number of connections for one archive. Large archives use as many as make the
    /// download faster; 1 downloads the whole archive with one request
    #[arg(long, value_name = "N", default_value = "32", value_parser = values::at_least_one)]
    pub(crate) connections: NonZeroUsize,
    /// Minimum rate of a download per second, for example 10kB, measured over five minutes; 0 for none
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) min_rate: Option<u64>,
    /// Allow an instance on http beyond this machine: the API key and secret are sent in clear
    #[arg(long)]
    pub(crate) allow_insecure_http: bool,
    /// Allow downloads over http from an instance on https
    #[arg(long)]
    pub(crate) allow_http: bool,
    /// Allow downloads from this network, for example 10.20.0.0/16, in addition to public addresses
    /// and the kind of network that the API is on; can be repeated
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TULIP_ALLOW_NETWORK",
        value_delimiter = ',',
        value_parser = values::network
    )]
    pub(crate) allow_network: Vec<Network>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A job that failed or is unknown ends with exit code 4, a missed --timeout with
1.

Examples:
  tulip status evsLrbKLQgX8YWE4v
  tulip status evsLrbKLQgX8YWE4v --wait --timeout 10m --json")]
// Nothing is downloaded, so what is about downloads is not shown.
#[command(
    mut_arg("connections", |arg| arg.hide(true)),
    mut_arg("min_rate", |arg| arg.hide(true)),
    mut_arg("allow_http", |arg| arg.hide(true)),
    mut_arg("allow_network", |arg| arg.hide(true))
)]
pub(crate) struct StatusArgs {
    /// Id of the job
    pub(crate) job: JobId,
    /// Wait until the job is complete
    #[arg(long, help_heading = "Limits")]
    pub(crate) wait: bool,
    /// Maximum time to wait: 90s, 10m, 1h; 0 waits as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, requires = "wait", help_heading = "Limits")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
// Nothing is downloaded, so what is about downloads is not shown.
#[command(
    mut_arg("connections", |arg| arg.hide(true)),
    mut_arg("min_rate", |arg| arg.hide(true)),
    mut_arg("allow_http", |arg| arg.hide(true)),
    mut_arg("allow_network", |arg| arg.hide(true))
)]
pub(crate) struct MachinesArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print one JSON object per machine
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(override_usage = "\
tulip export --all --to <URL> [OPTIONS]
       tulip export --machine <MACHINE>... --to <URL> [OPTIONS]
       tulip export --job <JOB>... --to <URL> [OPTIONS]")]
#[command(after_long_help = "\
Exporting by machine starts a new archive at Tulip, which is expensive there.
Each archive is a full snapshot. A failed export leaves the target as it was.
An export that ends before it is done is remembered: the same command resumes
its job and its download. An archive of a job that is already stored is not
downloaded again. One failed export does not stop the others, unless the first
five all fail in the same way.

Fields of --name: {machine} {machine_name} {machine_type} {job} {workspace}
{date} {year} {month} {day} {time}; dates are in UTC. The default is
{machine}/{job}.csv, or {job}.csv for --job, where the machine is not known.
Beside each object lies its receipt, _NAME.receipt.json. A value that is too
long is cut and ends in ~ and a hash.

Examples:
  tulip export --job evsLrbKLQgX8YWE4v --to ./archives
  tulip export --machine g56RCoZCtzv7borvp --to /data/tulip --digest sha256
  tulip export --machine 'Mill 1,Mill 2' --to /data/tulip --dry-run
  tulip export --machine-type CNC --exclude '*test*' --to /data/tulip
  tulip export --all --to ./out --name '{date}/{machine}.csv' --if-exists skip
  tulip export --all --to ./out --json | jq -r 'select(.location) | .location'
  tulip export --all --to s3://lake --sink-option storage_class=STANDARD_IA
  tulip export --all --to gs://lake/tulip --memory 80MiB")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) settings: ExportSettings,
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
    /// Target of the archives: a path or a URL (see `tulip sinks`)
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Template of the objects' names
    #[arg(long, value_name = "TEMPLATE", help_heading = "Naming")]
    pub(crate) name: Option<KeyTemplate>,
    /// Checksum of the receipts
    #[arg(long, value_name = "ALGORITHM", value_parser = values::checksum(), default_value_t, help_heading = "Target")]
    pub(crate) digest: ChecksumAlgorithm,
    /// Maximum time to wait for each job: 90s, 10m, 1h; 0 waits as long as it takes
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
    /// Maximum time of the whole run; 0 takes as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) run_timeout: Duration,
    /// Accept an archive without records in place of one that has some
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_empty: bool,
    /// Accept archives whose last record has another number of fields than the header
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_ragged: bool,
    /// Accept archives whose last record does not end with a line break
    #[arg(long, help_heading = "Checks")]
    pub(crate) allow_missing_final_newline: bool,
    /// Maximum size of an archive, for example 50GiB
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Checks")]
    pub(crate) max_bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Do not remember exports: another run cannot resume them
    #[arg(long, help_heading = "Resume")]
    pub(crate) no_state: bool,
    /// Maximum age of an earlier job to resume; 0 starts another
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = values::duration, help_heading = "Resume")]
    pub(crate) resume_within: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Where incomplete exports are remembered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Resume")]
pub(crate) struct StateFolder {
    /// Folder that remembers incomplete exports, without any secret; by default tulip in the user's
    /// state directory, ~/.local/state
    #[arg(long, value_name = "FOLDER", env = "TULIP_STATE")]
    pub(crate) state: Option<OsString>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("discarded").multiple(true))]
#[command(after_long_help = "\
An export that ended early is remembered: its job, its target and what it has
written. The same tulip export resumes it, and tulip resume resumes all of them.
Options of a target that could be secrets are not remembered: give them again.

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
    /// With --discard: only exports to this target; there, stale uploads and staged files of
    /// others are removed as well
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
    /// Maximum time to wait for each job: 90s, 10m, 1h; 0 waits as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, help_heading = "Limits")]
    pub(crate) timeout: Duration,
    /// Number of archives to export at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print one JSON object per export
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressSettings,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Reads every archive below the target that has a receipt, and compares bytes,
checksum and records. An archive that is missing or does not match its receipt
ends in exit code 6. Objects without a receipt are counted and are no failure:
they may not be archives.

Examples:
  tulip verify ./archives
  tulip verify s3://lake/tulip/2026-11 --concurrency 8 --json")]
pub(crate) struct VerifyArgs {
    /// Target of the archives: a path or a URL; by default that of the config file
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Number of archives to read at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::at_least_one, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,
    /// Certificate authorities to trust in addition, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print one JSON object per archive
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
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

/// Settings of a target beside its URL.
#[derive(Debug, Args)]
pub(crate) struct SinkSettings {
    /// Option of the target, as `tulip sinks` lists them; can be repeated
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Target")]
    pub(crate) sink_option: Vec<String>,
    /// Memory of the target for parts of archives, for example 80MiB: the same as
    /// --sink-option memory=80MiB
    #[arg(long, value_name = "SIZE", help_heading = "Target")]
    pub(crate) memory: Option<String>,
    /// Options of the config file.
    #[arg(skip)]
    pub(crate) from_file: Vec<(String, String)>,
}

impl SinkSettings {
    /// All options, by name. They are parsed here and not by clap, which would show a wrong one in
    /// full: it can hold a secret.
    pub(crate) fn all(&self) -> Result<Vec<(String, String)>, String> {
        let memory = self.memory.iter();
        let memory = memory.map(|size| Ok(("memory".to_owned(), size.clone())));
        let named = self.sink_option.iter();
        let mut all = named
            .map(|text| values::sink_option(text))
            .chain(memory)
            .collect::<Result<Vec<_>, _>>()?;
        let is_given = |name: &str| all.iter().any(|(given, _)| given == name);
        let mut from_file = self.from_file.clone();
        from_file.retain(|(name, _)| !is_given(name));
        all.append(&mut from_file);
        Ok(all)
    }
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Options go into the URL's query, s3://lake/tulip?region=eu-west-1, or into
--sink-option. Others come from the environment that the store's own tools use:
AWS_… and the profiles of ~/.aws, GOOGLE_…, AZURE_….

Examples:
  tulip sinks
  tulip sinks check s3://lake/tulip
  tulip sinks check s3://lake --sink-option endpoint=https://minio.example"
)]
pub(crate) struct SinksArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SinksCommand>,
    /// Print one JSON object per sink
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksCommand {
    /// Check that a target can be reached and written, and leave no object there
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Target to check: a path or a URL; by default that of the config file
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Certificate authorities to trust in addition, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting of an export, its value and where it comes from
    Show(Box<ShowArgs>),
    /// Trust the tulip.toml of the working directory, as it is now
    Trust,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Takes the options of tulip export, so that it shows what that would use. Secrets are masked.

Examples:
  tulip config show
  tulip config show --profile night --json")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) settings: ExportSettings,
    /// Print one JSON object per setting
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip completions bash > /etc/bash_completion.d/tulip
  tulip completions zsh > \"${fpath[1]}/_tulip\"")]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for
    pub(crate) shell: Shell,
}
