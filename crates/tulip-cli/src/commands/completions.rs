//! `tulip completions`

use std::io;

use clap::{Arg, Command, CommandFactory as _, ValueHint};

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Failure;

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = hinted(Cli::command());
    clap_complete::generate(args.shell, &mut command, "tulip", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(())
}

/// Gives every value a hint, so that shells can complete it.
fn hinted(command: Command) -> Command {
    command.mut_args(hint).mut_subcommands(hinted)
}

fn hint(arg: Arg) -> Arg {
    let names = arg.get_value_names().unwrap_or_default();
    let hint = match names.first().map(AsRef::as_ref) {
        _ if !arg.get_action().takes_values() || !arg.get_possible_values().is_empty() => {
            return arg;
        }
        _ if arg.get_id() == "base_url" => ValueHint::Url,
        Some("FILE") => ValueHint::FilePath,
        // A target is a URL or a folder, and people type folders more often.
        Some("FOLDER" | "URL") => ValueHint::DirPath,
        // Ids and numbers: file names would be wrong completions.
        _ => ValueHint::Other,
    };
    arg.value_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &Command) {
        for arg in command.get_arguments() {
            let is_known = !arg.get_action().takes_values()
                || !arg.get_possible_values().is_empty()
                || arg.get_value_hint() != ValueHint::Unknown;
            assert!(is_known, "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_value_is_completed_by_what_it_can_be() {
        let command = hinted(Cli::command());
        check(&command);
        let export = command.find_subcommand("export").unwrap();
        let of = |id: &str| {
            export
                .get_arguments()
                .find(|arg| arg.get_id() == id)
                .unwrap()
        };
        assert_eq!(of("ca_file").get_value_hint(), ValueHint::FilePath);
        assert_eq!(of("to").get_value_hint(), ValueHint::DirPath);
        assert_eq!(of("job").get_value_hint(), ValueHint::Other);
        let checksums = of("digest").get_possible_values();
        let checksums: Vec<_> = checksums.iter().map(|value| value.get_name()).collect();
        assert_eq!(checksums, ["crc64nvme", "sha256"]);
    }
}
