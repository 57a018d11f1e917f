//! The `tulip` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulip_cli::main()
}
