//! The command line.

mod connection;
mod doctor;
#[cfg(feature = "emulator")]
mod emulator;
mod export;
mod install;
mod output;
mod report;
mod resume;
mod runs;
mod selection;
mod target;
#[cfg(test)]
mod tests;
mod verify;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use tulip_core::JobId;

pub(crate) use self::connection::{Connection, DownloadSettings, Secret};
pub(crate) use self::doctor::DoctorArgs;
#[cfg(feature = "emulator")]
pub(crate) use self::emulator::{DemoArgs, EmulateArgs};
pub(crate) use self::export::{ExistsRule, ExportArgs, ExportSettings, ManifestRule};
pub(crate) use self::install::{CompletionsArgs, ManArgs};
pub(crate) use self::output::RunFiles;
pub(crate) use self::report::ReportArgs;
pub(crate) use self::resume::{ResumeArgs, StateFolder};
pub(crate) use self::runs::{PruneArgs, RepairArgs, RunsArgs, RunsCommand, ShowRunArgs};
pub(crate) use self::selection::SelectionArgs;
pub(crate) use self::target::{CheckArgs, SinkSettings, SinksArgs, SinksCommand};
pub(crate) use self::verify::{VerifyArgs, refuse_unread};
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
    /// Config file; by default ./tulip.toml, or else ~/.config/tulip/tulip.toml
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

Environment. An option overrides its variable, and a variable the config file.
The first five can also be set as NAME_FILE, the path of a mounted secret:
  TULIP_BASE_URL      the instance, https://acme.tulip.co
  TULIP_API_KEY       the API key, with TULIP_API_SECRET
  TULIP_API_SECRET    its secret; there is no option for it
  TULIP_AUTH          instead of both: the \"Auth Header\" of Tulip's token page
  TULIP_WORKSPACE_ID  the workspace, for an account token
  TULIP_CA_FILE       more certificate authorities to trust (PEM)
  TULIP_STATE         the state folder, as --state
  TULIP_ALLOW_NETWORK networks to download from, as --allow-network
  TULIP_CONFIG        the config file, as --config
  TULIP_PROFILE       its profile, as --profile
  AWS_… GOOGLE_… AZURE_…
                      credentials and settings of s3://, gs:// and az:// targets

Exit codes:
  0    all done
  1    some exports failed, exports failed in different ways, or any other
       failure, for example a missed deadline or a check of tulip doctor
  2    usage or configuration
  3    Tulip refused the credentials, or a scope is missing
  4    the job failed at Tulip, Tulip does not know the job or machine, or it is
       unknown whether an archive was started
  5    the target could not be reached or written, or an existing object must
       not be replaced
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
    /// Run a Tulip emulator
    #[cfg(feature = "emulator")]
    Emulate(EmulateArgs),
    /// Show the status of a job
    Status(StatusArgs),
    /// List the machines of the instance
    Machines(MachinesArgs),
    /// Export archives of jobs or machines
    Export(Box<ExportArgs>),
    /// Resume or discard unfinished exports
    Resume(ResumeArgs),
    /// List, show and prune runs, or repair the database
    Runs(RunsArgs),
    /// Write an HTML report of a run
    Report(ReportArgs),
    /// Compare stored archives with their receipts, or repair them
    Verify(VerifyArgs),
    /// List the available sinks, or check a target
    Sinks(SinksArgs),
    /// Show settings and where they come from, or trust a config file
    Config(ConfigArgs),
    /// Diagnose why exports fail
    Doctor(DoctorArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Write man pages, one for each command
    Man(ManArgs),
}

impl Command {
    /// Whether no progress is shown.
    pub(crate) fn has_no_progress(&self) -> bool {
        match self {
            #[cfg(feature = "emulator")]
            Self::Demo(args) => args.progress.no_progress,
            // Do not draw between the lines of an archive.
            Self::Export(args) => {
                let is_shown = args.settings.to.as_deref() == Some("-");
                args.progress.no_progress || (is_shown && io::stdout().is_terminal())
            }
            Self::Resume(args) => args.progress.no_progress,
            Self::Verify(args) => args.progress.no_progress,
            _ => false,
        }
    }

    /// The connection of the command, if it has one.
    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Status(args) => Some(&mut args.connection),
            Self::Machines(args) => Some(&mut args.connection),
            Self::Export(args) => Some(&mut args.settings.connection),
            Self::Resume(args) => Some(&mut args.connection),
            Self::Verify(args) => Some(&mut args.connection),
            Self::Doctor(args) => Some(&mut args.connection),
            Self::Config(ConfigArgs {
                command: ConfigCommand::Show(args),
            }) => Some(&mut args.settings.connection),
            _ => None,
        }
    }

    /// The settings of the command's target, if it has them.
    pub(crate) fn sink_settings(&mut self) -> Option<&mut SinkSettings> {
        match self {
            Self::Export(args) => Some(&mut args.settings.sink),
            Self::Resume(args) => Some(&mut args.sink),
            Self::Verify(args) => Some(&mut args.sink),
            Self::Report(args) => Some(&mut args.sink),
            Self::Doctor(args) => Some(&mut args.sink),
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

#[derive(Debug, Args)]
#[command(after_long_help = "\
A job that failed or is unknown ends with exit code 4, a missed --timeout with
1.

Examples:
  tulip status evsLrbKLQgX8YWE4v
  tulip status evsLrbKLQgX8YWE4v --wait --timeout 10m --json")]
pub(crate) struct StatusArgs {
    /// Id of the job
    pub(crate) job: JobId,
    /// Wait until the job is complete
    #[arg(long, help_heading = "Limits")]
    pub(crate) wait: bool,
    /// Maximum time to wait, for example 90s or 1h; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration, requires = "wait", help_heading = "Limits")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MachinesArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print one JSON object per machine
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
Takes the options of tulip export, so that it shows what that would use. Secrets
are masked.

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
