//! The config file: where it is, what it says, and whether it is trusted.
//!
//! Its values become the defaults of options, so flags and variables take precedence, and the rest
//! of the command does not know where a value came from.

mod apply;
mod file;
mod find;
mod setting;
mod trust;
mod value;

use std::path::{Path, PathBuf};

use clap::{ArgMatches, CommandFactory as _};
use tulip_core::sink::SinkRegistry;

pub(crate) use self::file::Value;
use self::find::{Found, Origin};
pub(crate) use self::setting::{SETTINGS, Setting};
use crate::args::{Cli, Command, ConfigFile};
use crate::failure::Failure;

/// A command line with the settings of a config file.
pub(crate) struct Configured {
    pub(crate) cli: Cli,
    /// The matches of the subcommand that is run.
    pub(crate) matches: ArgMatches,
    pub(crate) config: Option<Config>,
    /// Why the config file cannot be used. Only `tulip doctor` continues without it.
    pub(crate) failure: Option<Failure>,
}

/// Adds the settings of the config file to a command line that parses without it.
pub(crate) fn configure(mut cli: Cli, matches: &ArgMatches) -> Result<Configured, Failure> {
    let without = |cli, failure| Configured {
        cli,
        matches: apply::innermost(matches).clone(),
        config: None,
        failure,
    };
    match load_and_apply(&mut cli, matches) {
        Ok(Some(configured)) => Ok(configured),
        Ok(None) => Ok(without(cli, None)),
        Err(failure) if matches!(cli.command, Command::Doctor(_)) => {
            Ok(without(cli, Some(failure)))
        }
        Err(failure) => Err(failure),
    }
}

/// `None` if the command takes no settings, or if there is no file.
fn load_and_apply(cli: &mut Cli, matches: &ArgMatches) -> Result<Option<Configured>, Failure> {
    let command = &mut cli.command;
    let is_configurable = command.connection().is_some() || command.sink_settings().is_some();
    let config = match is_configurable {
        true => Config::load(&cli.config)?,
        false => None,
    };
    let Some(config) = config else {
        return Ok(None);
    };
    // `tulip config` must be able to show a file before it is trusted.
    if !matches!(cli.command, Command::Config(_)) {
        config.check_trust()?;
    }
    let words = std::env::args_os();
    let applied = apply::apply(Cli::command(), words, matches, &config.values);
    // Each value has already passed the check of its option.
    let applied = applied.map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Some(Configured {
        cli: applied.cli,
        matches: applied.matches,
        config: Some(config),
        failure: None,
    }))
}

/// A config file that was read.
#[derive(Debug)]
pub(crate) struct Config {
    /// The path, as messages show it.
    pub(crate) path: PathBuf,
    pub(crate) profile: Option<String>,
    pub(crate) values: Vec<Value>,
    /// Whether it may decide where credentials and archives go.
    pub(crate) is_trusted: bool,
}

impl Config {
    /// Reads the config file, if there is one.
    fn load(options: &ConfigFile) -> Result<Option<Self>, Failure> {
        if options.no_config {
            return Ok(None);
        }
        let profile = options.profile.as_deref().map(str::trim);
        let profile = profile.filter(|name| !name.is_empty());
        match (find::find(options.config.as_deref())?, profile) {
            (Some(found), profile) => Self::of(&found, profile).map(Some),
            (None, None) => Ok(None),
            (None, Some(name)) => {
                let what = format!("no profile {name:?}: there is no config file");
                let hint = "name the file with --config or TULIP_CONFIG";
                Err(Failure::usage(what).with_hint(hint))
            }
        }
    }

    fn of(found: &Found, profile: Option<&str>) -> Result<Self, Failure> {
        let path = &found.path;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let values = file::read(&found.text, profile, folder).map_err(|problem| {
            let (line, what) = (problem.line, problem.what);
            Failure::usage(format!("{}:{line}: {what}", path.display()))
        })?;
        let in_working_directory = found.origin == Origin::WorkingDirectory;
        Ok(Self {
            path: path.clone(),
            profile: profile.map(str::to_owned),
            values,
            is_trusted: !in_working_directory || trust::is_trusted(path, &found.text),
        })
    }

    /// Refuses a file in the working directory that is not trusted.
    fn check_trust(&self) -> Result<(), Failure> {
        if self.is_trusted {
            return Ok(());
        }
        let what = format!(
            "the config file {} of the working directory is not trusted",
            self.path.display()
        );
        let hint = "it can send credentials and archives anywhere: look at it with `tulip config \
                    show`, then run `tulip config trust`; --no-config ignores it";
        Err(Failure::usage(what).with_hint(hint))
    }

    /// A warning if the file holds a secret and others can read it.
    pub(crate) fn warning(&self) -> Option<String> {
        let secret = self.values.iter().find(|value| self.is_secret(value))?;
        let name = secret.option.as_deref().unwrap_or(secret.setting.name);
        let (path, line) = (self.path.display(), secret.line);
        is_readable_by_others(&self.path).then(|| {
            format!("{path}:{line}: {name} is a secret that others can read: chmod 600 {path}")
        })
    }

    /// Whether a value is a secret: that of the API, or an option of the target that its sink does
    /// not declare public.
    pub(crate) fn is_secret(&self, value: &Value) -> bool {
        let Some(option) = &value.option else {
            return value.setting.is_secret();
        };
        let to = self.values.iter().find(|value| value.setting.name == "to");
        let to = to.and_then(|to| to.texts.first()?.to_str());
        let url = to.and_then(|to| tulip_archive::parse_target(to).ok());
        let Some((url, registry)) = url.zip(SinkRegistry::linked().ok()) else {
            return true;
        };
        let public = registry.without_secrets(&url.with_option(option, "-"));
        public.option(option).is_none()
    }
}

/// Trusts the config file of the working directory, and returns its path.
pub(crate) fn trust_here() -> Result<PathBuf, Failure> {
    let Some(found) = find::here()? else {
        let what = "there is no tulip.toml in the working directory";
        return Err(Failure::usage(what).with_hint("other config files need no trust"));
    };
    trust::trust(&found.path, &found.text).map_err(|error| {
        Failure::other(format!("cannot remember that the file is trusted: {error}"))
    })?;
    Ok(std::path::absolute(&found.path).unwrap_or(found.path))
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Only regular files count: a pipe has no other readers.
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0)
}

/// Other systems use access control lists, which are not read here.
#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}
