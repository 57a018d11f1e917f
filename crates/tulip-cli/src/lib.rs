//! The `tulip` command, to link with your own sinks.
//!
//! A binary that links a crate with a sink has all of `tulip`, and that sink:
//!
//! ```no_run
//! # mod sink_mine {}
//! // Nothing in it is called: this links the crate, which registers its scheme.
//! use sink_mine as _;
//!
//! fn main() -> std::process::ExitCode {
//!     tulip_cli::main()
//! }
//! ```
//!
//! [`main`] parses the command line, sets up logging and signals, runs one command, and maps its
//! failure to an exit code.

mod allocator;
mod args;
mod commands;
mod config;
mod connect;
mod descriptors;
mod failure;
mod logging;
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

/// How long work that cannot be interrupted (a name look-up, a write to a dead disk) may delay the
/// exit.
const LAST_WORK: Duration = Duration::from_secs(2);

/// The maximum number of threads that wait for a disk or a name. More would only wait for each
/// other.
const BLOCKING_THREADS: usize = 16;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    allocator::settle();
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
    // The doctor reports it in its check of the file.
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

/// The number of worker threads, besides those that wait for a disk.
///
/// Exports use half of the processors. The kernel and the disk need the other half, and with fewer
/// threads, data moves less often from one processor's cache to another's.
fn workers(command: &Command) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    match command {
        Command::Export(_) | Command::Resume(_) => processors.div_ceil(2),
        _ => processors,
    }
}
