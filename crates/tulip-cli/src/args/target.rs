//! A target, its options, and `tulip sinks`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::values;

/// Settings of a target beside its URL.
#[derive(Debug, Args)]
pub(crate) struct SinkSettings {
    /// Option of the target, as `tulip sinks` lists them; can be repeated
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Target")]
    pub(crate) sink_option: Vec<String>,
    /// Memory for upload buffers, for example 80MiB; the same as --sink-option memory=80MiB
    #[arg(long, value_name = "SIZE", help_heading = "Target")]
    pub(crate) memory: Option<String>,
    /// Options of the config file.
    #[arg(skip)]
    pub(crate) from_file: Vec<(String, String)>,
}

impl SinkSettings {
    /// All options, by name. They are parsed here and not by clap, which would quote a wrong one in
    /// full, and it can hold a secret.
    pub(crate) fn all(&self) -> Result<Vec<(String, String)>, String> {
        let memory = self.memory.iter();
        let memory = memory.map(|size| Ok(("memory".to_owned(), size.clone())));
        let named = self.sink_option.iter();
        let mut all = named
            .map(|text| values::sink_option(text))
            .chain(memory)
            .collect::<Result<Vec<_>, _>>()?;
        let is_given = |name: &str| all.iter().any(|(given, _)| given == name);
        let mut from_file = self.from_file.clone();
        from_file.retain(|(name, _)| !is_given(name));
        all.append(&mut from_file);
        Ok(all)
    }
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Options go into the URL's query, s3://lake/tulip?region=eu-west-1, or into
--sink-option. Others come from the environment that the store's own tools use:
AWS_… and the profiles of ~/.aws, GOOGLE_…, AZURE_….

Examples:
  tulip sinks
  tulip sinks check s3://lake/tulip
  tulip sinks check s3://lake --sink-option endpoint=https://minio.example"
)]
pub(crate) struct SinksArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SinksCommand>,
    /// Print one JSON object per sink
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksCommand {
    /// Check that a target can be reached and written, and leave no object there
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Target to check: a path or a URL; by default that of the config file
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) sink: SinkSettings,
    /// Certificate authorities to trust in addition, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
