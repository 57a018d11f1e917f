//! Tests of the `--help` texts.

use clap::{Command, CommandFactory as _};

use super::Cli;
use crate::output::display_width;

/// The groups of options, in the order in which help shows them.
const HEADINGS: [&str; 11] = [
    "Resume",
    "Source",
    "Target",
    "Naming",
    "Limits",
    "Checks",
    "Emulator",
    "With --repair",
    "Configuration",
    "Connection",
    "Output",
];

/// Every command and subcommand, as it is run.
fn commands() -> Vec<Command> {
    fn collect(command: &Command, found: &mut Vec<Command>) {
        found.push(command.clone());
        command
            .get_subcommands()
            .filter(|command| command.get_name() != "help")
            .for_each(|command| collect(command, found));
    }
    let mut root = Cli::command();
    root.build();
    let mut found = Vec::new();
    collect(&root, &mut found);
    found
}

/// Both forms of the help of a command.
fn helps(command: &Command) -> [String; 2] {
    let mut command = command.clone();
    [
        command.render_help().to_string(),
        command.render_long_help().to_string(),
    ]
}

#[test]
fn help_fits_80_columns() {
    for command in commands() {
        for help in helps(&command) {
            for line in help.lines() {
                assert!(display_width(line) <= 80, "{}: {line}", command.get_name());
            }
        }
    }
}

#[test]
fn every_option_is_in_a_group() {
    for command in commands() {
        for arg in command.get_opts() {
            if ["help", "version"].contains(&arg.get_id().as_str()) {
                continue;
            }
            let heading = arg.get_help_heading().unwrap_or("none");
            let (name, id) = (command.get_name(), arg.get_id());
            assert!(HEADINGS.contains(&heading), "{name} --{id}: {heading}");
        }
    }
}

#[test]
fn groups_come_once_each_and_the_output_last() {
    for command in commands() {
        for help in helps(&command) {
            let is_heading = |line: &&str| {
                let name = line.strip_suffix(':');
                name.is_some_and(|name| HEADINGS.contains(&name))
            };
            let found: Vec<_> = help.lines().filter(is_heading).collect();
            let mut once = found.clone();
            once.dedup();
            assert_eq!(found, once, "{}", command.get_name());
            // Every command has the options for the config file and the output.
            let mut last = found.into_iter().filter(|name| *name != "Configuration:");
            assert_eq!(last.next_back(), Some("Output:"), "{}", command.get_name());
        }
    }
}

#[test]
fn lines_of_help_are_sentences_without_an_end() {
    for command in commands() {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let first = help.chars().next();
            let (name, id) = (command.get_name(), arg.get_id());
            assert!(first.is_some_and(char::is_uppercase), "{name} {id}: {help}");
            assert!(!help.ends_with('.'), "{name} {id}: {help}");
        }
    }
}

#[test]
fn only_commands_that_download_take_options_of_downloads() {
    for command in commands() {
        let name = command.get_bin_name().unwrap_or_default();
        let downloads = [
            "tulip export",
            "tulip resume",
            "tulip config show",
            "tulip verify",
        ];
        let downloads = downloads.contains(&name);
        for option in ["min_rate", "allow_http", "allow_network"] {
            let takes = command.get_arguments().any(|arg| arg.get_id() == option);
            assert_eq!(takes, downloads, "{name} --{option}");
        }
    }
}

/// Help shows every option: a command has no use for one that it hides.
#[test]
fn no_option_is_taken_and_hidden() {
    for command in commands() {
        for arg in command.get_arguments() {
            let (name, id) = (command.get_name(), arg.get_id());
            assert!(!arg.is_hide_set(), "{name} --{id}");
        }
    }
}
