//! `tulip man`

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::args::{Cli, ManArgs};
use crate::failure::Failure;

const SOURCE: &str = concat!("tulip ", env!("CARGO_PKG_VERSION"));

pub(crate) fn run(args: &ManArgs) -> Result<(), Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    // Adds the global options to every command, and gives each its full name, such as
    // tulip-sinks-check.
    command.build();
    fs::create_dir_all(&args.folder)
        .and_then(|()| write(&command, &args.folder))
        .map_err(|error| {
            let folder = args.folder.display();
            Failure::other(format!("cannot write man pages to {folder}: {error}"))
        })
}

/// Writes the page of `command` and those of its subcommands.
fn write(command: &Command, folder: &Path) -> io::Result<()> {
    let man = Man::new(command.clone()).source(SOURCE);
    fs::write(folder.join(man.get_filename()), page(command, &man)?)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| write(below, folder))
}

/// Renders a page like clap_mangen, except for the text after the options: it holds tables and
/// examples, so its lines are kept as they are.
fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_long_help() {
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.to_string().lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
        section.to_writer(&mut page)?;
    }
    Ok(page)
}
