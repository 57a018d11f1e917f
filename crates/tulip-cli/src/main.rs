//! The `tulip` command.

use std::process::ExitCode;

/// musl's own allocator gives every large block back to the system and takes it from there again:
/// an export would take 1.4 times the CPU time that it takes with glibc.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tulip_cli::main()
}
