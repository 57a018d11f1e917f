//! `tulip runs`

pub(crate) mod find;
mod list;
pub(crate) mod prune;
mod repair;
mod show;

use crate::args::{RunsArgs, RunsCommand};
use crate::failure::Failure;
use crate::progress::Progress;

pub(crate) async fn run(args: RunsArgs, progress: &Progress) -> Result<(), Failure> {
    match args.command {
        None => list::run(&args, progress).await,
        Some(RunsCommand::Show(args)) => show::run(&args, progress).await,
        Some(RunsCommand::Prune(args)) => prune::run(&args, progress).await,
        Some(RunsCommand::Repair(args)) => repair::run(&args, progress),
    }
}
