//! The `tulip` command, to be linked with sinks of your own.
//!
//! A binary that names a crate with a sink has everything that `tulip` has, and that sink:
//!
//! ```no_run
//! # mod sink_mine {}
//! // Nothing of it is called; this links it, and so registers its scheme.
//! use sink_mine as _;
//!
//! fn main() -> std::process::ExitCode {
//!     tulip_cli::main()
//! }
//! ```
//!
//! Parses, sets up logging and signals, runs one command, maps its failure to an exit code.

mod args;
mod commands;
mod config;
mod connect;
mod descriptors;
mod failure;
mod logging;
mod memory;
mod output;
mod output_file;
mod progress;
mod shutdown;
mod state;
mod stdout;
#[cfg(feature = "otlp")]
mod telemetry;
mod values;

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use crate::args::{Cli, Command};
use crate::config::{Config, Configured};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// How long work that cannot be interrupted (a name look-up, a write to a dead disk) may hold up
/// the end.
const LAST_WORK: Duration = Duration::from_secs(2);

/// How many threads may wait for a disk or a name at once. More would only wait for each other.
const BLOCKING_THREADS: usize = 16;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    memory::settle();
    descriptors::raise_limit();
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let progress = Progress::new(&cli);
    match run(cli, &matches, &progress) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some((message, hint)) = failure.message() {
                progress.error(message, hint);
            }
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, matches: &ArgMatches, progress: &Progress) -> Result<(), Failure> {
    logging::init(cli.verbose, cli.log_format, progress);
    if let Some(("verify", matches)) = matches.subcommand() {
        args::refuse_unread(matches)?;
    }
    let Configured {
        cli,
        matches,
        config,
        failure,
    } = config::configure(cli, matches)?;
    // The doctor says it in the line about the file.
    if !matches!(cli.command, Command::Doctor(_))
        && let Some(warning) = config.as_ref().and_then(Config::warning)
    {
        progress.warn(&warning, None);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(&cli.command))
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(async {
        let shutdown = Shutdown::install(progress)?;
        match cli.command {
            #[cfg(feature = "emulator")]
            Command::Demo(args) => commands::demo::run(args, progress, &shutdown).await,
            #[cfg(feature = "emulator")]
            Command::Emulate(args) => commands::emulate::run(args, progress, &shutdown).await,
            Command::Status(args) => commands::status::run(args, &shutdown).await,
            Command::Machines(args) => commands::machines::run(args, progress, &shutdown).await,
            Command::Export(args) => commands::export::run(*args, progress, &shutdown).await,
            Command::Resume(args) => commands::resume::run(args, progress, &shutdown).await,
            Command::Runs(args) => commands::runs::run(args, progress).await,
            Command::Report(args) => commands::report::run(args, &shutdown).await,
            Command::Verify(args) => commands::verify::run(args, progress, &shutdown).await,
            Command::Doctor(args) => {
                let file = commands::doctor::ConfigFile { config, failure };
                commands::doctor::run(args, file, progress, &shutdown).await
            }
            Command::Completions(args) => commands::completions::run(&args),
            Command::Man(args) => commands::man::run(&args),
            Command::Sinks(args) => commands::sinks::run(args, &shutdown).await,
            Command::Config(args) => {
                commands::config::run(args, config.as_ref(), &matches, progress)
            }
        }
    });
    runtime.shutdown_timeout(LAST_WORK);
    result
}

/// How many threads work, beside those that wait for a disk.
///
/// Exports get half of the processors: the other half has the kernel's and the disk's part of it to
/// do, and what fewer threads work at passes less often from one processor's cache to another's.
fn workers(command: &Command) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    match command {
        Command::Export(_) | Command::Resume(_) => processors.div_ceil(2),
        _ => processors,
    }
}
