//! The values of a config file as defaults of command-line options.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches as _};

use super::file::Value;
use crate::args::{Cli, Secret};

/// A command line with the values of the file.
pub(super) struct Applied {
    pub(super) cli: Cli,
    /// The matches of the subcommand that is run.
    pub(super) matches: ArgMatches,
}

/// Parses the command line again, with the file's values as defaults for what neither an option nor
/// a variable sets. `without` is the command line parsed without the file.
pub(super) fn apply(
    command: Command,
    words: impl IntoIterator<Item = OsString>,
    without: &ArgMatches,
    values: &[Value],
) -> Result<Applied, clap::Error> {
    let path = subcommands(without);
    let target = target_option(&path);
    let edit = |command| with_defaults(command, target, values);
    let matches = edit_subcommand(command, &path, &edit).try_get_matches_from(words)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let inner = innermost(&matches).clone();
    // The file's sink options and memory are for its own target, not for one that the command line
    // names, which may have no such option or may set it itself.
    let is_default = |id| inner.value_source(id) == Some(ValueSource::DefaultValue);
    if let Some(sink) = cli.command.sink_settings()
        && let Some(target) = target
    {
        let memory = sink.memory.take_if(|_| is_default("memory"));
        if is_default(target) {
            sink.from_file = values.iter().filter_map(sink_option).collect();
            let memory = memory.map(|size| ("memory".to_owned(), size));
            sink.from_file.extend(memory);
        }
    }
    if let Some(connection) = cli.command.connection()
        && connection.api_secret_file.is_none()
    {
        connection.api_secret = values.iter().find_map(secret);
    }
    Ok(Applied {
        cli,
        matches: inner,
    })
}

fn sink_option(value: &Value) -> Option<(String, String)> {
    let name = value.option.clone()?;
    let text = value.texts.first()?.to_str()?;
    Some((name, text.to_owned()))
}

fn secret(value: &Value) -> Option<Secret> {
    if !value.setting.is_secret() || value.setting.variable().is_some() {
        return None;
    }
    let text = value.texts.first()?.to_str()?;
    Some(Secret::new(text))
}

/// The option that names the target of archives. That of `resume` only selects exports.
fn target_option(path: &[String]) -> Option<&'static str> {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["export"] | ["doctor"] | ["config", "show"] => Some("to"),
        ["verify"] | ["sinks", "check"] => Some("url"),
        _ => None,
    }
}

fn edit_subcommand(
    command: Command,
    path: &[String],
    edit: &dyn Fn(Command) -> Command,
) -> Command {
    match path {
        [] => edit(command),
        [first, rest @ ..] => {
            command.mut_subcommand(first, |inner| edit_subcommand(inner, rest, edit))
        }
    }
}

fn with_defaults(command: Command, target: Option<&'static str>, values: &[Value]) -> Command {
    values.iter().fold(command, |command, value| {
        let id = match value.setting.name {
            "to" => target,
            name => Some(name),
        };
        let has = |id: &&str| command.get_arguments().any(|arg| arg.get_id() == *id);
        match id.filter(has) {
            Some(id) if value.option.is_none() && value.setting.variable().is_none() => {
                command.mut_arg(id, |arg| arg.default_values(&value.texts))
            }
            _ => command,
        }
    })
}

/// The names of the subcommands, outermost first.
fn subcommands(matches: &ArgMatches) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = matches.subcommand();
    while let Some((name, inner)) = next {
        names.push(name.to_owned());
        next = inner.subcommand();
    }
    names
}

/// The matches of the innermost subcommand.
pub(super) fn innermost(matches: &ArgMatches) -> &ArgMatches {
    let mut inner = matches;
    while let Some((_, next)) = inner.subcommand() {
        inner = next;
    }
    inner
}
