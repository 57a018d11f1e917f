//! The arguments of the commands that packagers run: `tulip completions` and `tulip man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip completions bash > /etc/bash_completion.d/tulip
  tulip completions zsh > \"${fpath[1]}/_tulip\"")]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tulip man ~/.local/share/man/man1
  tulip man /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder of the pages; created if it is missing
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}
