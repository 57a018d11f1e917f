//! The settings that a config file can hold.

use clap::ValueEnum as _;
use tulip_archive::KeyTemplate;
use tulip_core::{ChecksumAlgorithm, Credentials, InstanceUrl, WorkspaceId};

use crate::args::ExistsRule;
use crate::values;

/// Returns what is wrong with a value, without quoting one that may be a secret.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// The type of a value in the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string.
    Text(Check),
    /// A string that is never shown.
    Secret,
    /// A path, relative to the folder of the file.
    Path,
    /// A path or a URL of archives.
    Target,
    /// A number.
    Count(Check),
    /// A number of bytes, or a string with a unit.
    Size,
    /// `true` or `false`.
    Switch,
    /// A string, or an array of strings.
    List(Check),
    /// A table of options of the target.
    SinkOptions,
}

/// Settings that belong together. A profile that sets another instance or target does not inherit
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The credentials belong to `base_url`.
    Instance,
    /// The options belong to `to`.
    Target,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file: that of its option, with underscores.
    pub(crate) name: &'static str,
    /// The variables that also set it. They override the file.
    pub(crate) variables: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) group: Option<Group>,
}

impl Setting {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            variables: &[],
            kind,
            group: None,
        }
    }

    const fn or(mut self, variables: &'static [&'static str]) -> Self {
        self.variables = variables;
        self
    }

    const fn of(mut self, group: Group) -> Self {
        self.group = Some(group);
        self
    }

    /// Whether every value of it is a secret.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// The first of its variables that is set and not blank.
    pub(crate) fn variable(&self) -> Option<&'static str> {
        let is_set = |name: &&&str| {
            let value = std::env::var_os(name);
            value.is_some_and(|value| !value.to_string_lossy().trim().is_empty())
        };
        self.variables.iter().find(is_set).copied()
    }
}

/// All settings, in the order in which they are shown.
pub(crate) static SETTINGS: [Setting; 35] = [
    Setting::new("base_url", Kind::Text(base_url)).or(&["TULIP_BASE_URL", "TULIP_BASE_URL_FILE"]),
    Setting::new("api_key", Kind::Text(api_key))
        .or(&[
            "TULIP_API_KEY",
            "TULIP_API_KEY_FILE",
            "TULIP_AUTH",
            "TULIP_AUTH_FILE",
        ])
        .of(Group::Instance),
    Setting::new("api_secret", Kind::Secret)
        .or(SECRET_VARIABLES)
        .of(Group::Instance),
    Setting::new("api_secret_file", Kind::Path)
        .or(SECRET_VARIABLES)
        .of(Group::Instance),
    Setting::new("workspace", Kind::Text(workspace))
        .or(&["TULIP_WORKSPACE_ID", "TULIP_WORKSPACE_ID_FILE"])
        .of(Group::Instance),
    Setting::new("ca_file", Kind::Path).or(&["TULIP_CA_FILE"]),
    Setting::new("connect_timeout", Kind::Text(limit)),
    Setting::new("read_timeout", Kind::Text(limit)),
    Setting::new("connections", Kind::Count(count)),
    Setting::new("min_rate", Kind::Size),
    Setting::new("allow_insecure_http", Kind::Switch).of(Group::Instance),
    Setting::new("allow_http", Kind::Switch),
    Setting::new("allow_network", Kind::List(network)).or(&["TULIP_ALLOW_NETWORK"]),
    Setting::new("to", Kind::Target),
    Setting::new("sink_options", Kind::SinkOptions).of(Group::Target),
    Setting::new("memory", Kind::Size),
    Setting::new("name", Kind::Text(template)),
    Setting::new("digest", Kind::Text(digest)),
    Setting::new("if_exists", Kind::Text(exists_rule)),
    Setting::new("timeout", Kind::Text(duration)),
    Setting::new("concurrency", Kind::Count(count)),
    Setting::new("max_pending", Kind::Count(count)),
    Setting::new("start_rate", Kind::Count(count_or_zero)),
    Setting::new("run_timeout", Kind::Text(duration)),
    Setting::new("machine_timeout", Kind::Text(duration)),
    Setting::new("attempts", Kind::Count(count)),
    Setting::new("retry_delay", Kind::Text(duration)),
    Setting::new("max_bytes", Kind::Size),
    Setting::new("allow_empty", Kind::Switch),
    Setting::new("allow_ragged", Kind::Switch),
    Setting::new("allow_missing_final_newline", Kind::Switch),
    Setting::new("metrics_file", Kind::Path),
    Setting::new("report", Kind::Path),
    Setting::new("state", Kind::Path).or(&["TULIP_STATE"]),
    Setting::new("resume_within", Kind::Text(duration)),
];

const SECRET_VARIABLES: &[&str] = &[
    "TULIP_API_SECRET",
    "TULIP_API_SECRET_FILE",
    "TULIP_AUTH",
    "TULIP_AUTH_FILE",
];

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn base_url(text: &str) -> Result<(), String> {
    InstanceUrl::parse(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn api_key(text: &str) -> Result<(), String> {
    // Any secret will do: the key alone is checked.
    let with_secret = Credentials::new(text, "-");
    with_secret.map(drop).map_err(|error| error.to_string())
}

fn workspace(text: &str) -> Result<(), String> {
    let not_one = |_| "a workspace id is one word without slashes, such as DEFAULT".to_owned();
    text.parse::<WorkspaceId>().map(drop).map_err(not_one)
}

fn limit(text: &str) -> Result<(), String> {
    values::some_time(text).map(drop)
}

fn duration(text: &str) -> Result<(), String> {
    values::duration(text).map(drop)
}

fn count(text: &str) -> Result<(), String> {
    values::at_least_one(text).map(drop)
}

fn count_or_zero(text: &str) -> Result<(), String> {
    let not_one = |_| "expected a number, 0 or more".to_owned();
    text.parse::<usize>().map(drop).map_err(not_one)
}

fn network(text: &str) -> Result<(), String> {
    values::network(text).map(drop)
}

fn template(text: &str) -> Result<(), String> {
    KeyTemplate::parse(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn digest(text: &str) -> Result<(), String> {
    let parsed = text.parse::<ChecksumAlgorithm>();
    parsed.map(drop).map_err(|error| error.to_string())
}

fn exists_rule(text: &str) -> Result<(), String> {
    let not_one = |_| "it takes skip, overwrite or fail".to_owned();
    ExistsRule::from_str(text, false).map(drop).map_err(not_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// `export` has every option that a file can set.
    #[test]
    fn every_setting_is_an_option_of_export_under_the_same_name() {
        let command = crate::args::Cli::command();
        let export = command.find_subcommand("export").unwrap();
        for setting in &SETTINGS {
            let name = match setting.name {
                // The secret has no option, and all options of a target share one.
                "api_secret" => continue,
                "sink_options" => "sink_option",
                name => name,
            };
            let option = export.get_arguments().find(|arg| arg.get_id() == name);
            let long = option.unwrap_or_else(|| panic!("{name}")).get_long();
            assert_eq!(long, Some(name.replace('_', "-").as_str()));
        }
    }
}
