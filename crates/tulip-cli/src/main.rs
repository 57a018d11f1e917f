//! The `tulip` command.

use std::process::ExitCode;

/// musl's own allocator returns every large block to the system and requests it again: an export
/// would take 1.4 times as much CPU time as with glibc.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tulip_cli::main()
}
