//! `tulip completions`

use std::io;

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Failure;

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tulip", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(())
}
