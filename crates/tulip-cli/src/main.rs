//! The `tulip` command. Parses, sets up logging and signals, runs one command, maps its failure
//! to an exit code.

mod args;
mod commands;
mod connect;
mod failure;
mod logging;
mod output;
mod progress;
mod shutdown;
mod values;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // These need neither a runtime nor a connection, and answer at once.
    match &cli.command {
        Command::Completions(args) => return commands::completions::run(args),
        Command::Sinks(args) => return commands::sinks::run(args),
        _ => {}
    }
    let progress = Progress::new();
    logging::init(cli.verbose, cli.log_format, &progress);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(async {
        let shutdown = Shutdown::install()?;
        match cli.command {
            Command::Demo(args) => commands::demo::run(args, &progress, &shutdown).await,
            Command::Emulate(args) => commands::emulate::run(args, &shutdown).await,
            Command::Status(args) => commands::status::run(args, &shutdown).await,
            Command::Machines(args) => commands::machines::run(args, &shutdown).await,
            Command::Export(args) => commands::export::run(args, &progress, &shutdown).await,
            Command::Completions(args) => commands::completions::run(&args),
            Command::Sinks(args) => commands::sinks::run(&args),
        }
    })
}
