//! `tulip config`

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use tulip_archive::parse_target;
use tulip_core::sink::SinkRegistry;

use crate::args::{ConfigArgs, ConfigCommand, ShowArgs};
use crate::config::{self, Config, SETTINGS, Setting, Value};
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::values;

const MASK: &str = "[redacted]";

pub(crate) fn run(
    args: ConfigArgs,
    config: Option<&Config>,
    matches: &ArgMatches,
    progress: &Progress,
) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Trust => {
            let path = config::trust_here()?;
            output::line(&output::plain(&format!("trusted {}", path.display())))
        }
        ConfigCommand::Show(args) => show(&args, config, matches, progress),
    }
}

fn show(
    args: &ShowArgs,
    config: Option<&Config>,
    matches: &ArgMatches,
    progress: &Progress,
) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let shown = Shower {
        args,
        config,
        matches,
        registry,
    }
    .all()?;
    if args.json {
        return shown.iter().try_for_each(output::json);
    }
    let rows: Vec<_> = shown
        .iter()
        .map(|shown| {
            let value = shown.value.as_deref().unwrap_or("-");
            [shown.setting.clone(), output::plain(value), shown.source()]
        })
        .collect();
    output::table(["SETTING", "VALUE", "SOURCE"], &rows)?;
    match config {
        Some(config) if !config.is_trusted => {
            let path = config.path.display();
            let hint = "if you trust this file, run `tulip config trust`";
            let what = format!("{path} is not trusted, so no other command uses it");
            progress.warn(&what, Some(hint));
        }
        Some(_) => {}
        None => progress.say("no config file"),
    }
    Ok(())
}

/// A setting, as `--json` prints it. Every line has every field.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    setting: String,
    value: Option<String>,
    /// `option`, `variable`, `file` or `default`.
    source: &'static str,
    option: Option<String>,
    variable: Option<&'static str>,
    file: Option<&'a Path>,
    line: Option<usize>,
    profile: Option<&'a str>,
}

impl Shown<'_> {
    /// The source of the value, as the table shows it.
    fn source(&self) -> String {
        let file = self.file.zip(self.line);
        match (&self.option, self.variable, file) {
            (Some(option), ..) => option.clone(),
            (_, Some(variable), _) => variable.to_owned(),
            (_, _, Some((file, line))) => {
                let profile = self.profile.map(|name| format!(" (profile {name})"));
                let profile = profile.unwrap_or_default();
                output::plain(&format!("{}:{line}{profile}", file.display()))
            }
            _ => "default".to_owned(),
        }
    }
}

struct Shower<'a> {
    args: &'a ShowArgs,
    config: Option<&'a Config>,
    matches: &'a ArgMatches,
    registry: SinkRegistry,
}

impl<'a> Shower<'a> {
    fn all(&self) -> Result<Vec<Shown<'a>>, Failure> {
        let mut all = Vec::new();
        for setting in &SETTINGS {
            match setting.name {
                "sink_options" => all.extend(self.sink_options()?),
                _ => all.push(self.one(setting)),
            }
        }
        // Show only the form of the secret that is used.
        let has_secret_file = all.iter().any(|shown| {
            shown.setting == "api_secret_file" && matches!(shown.source, "option" | "file")
        });
        all.retain(|shown| match shown.setting.as_str() {
            "api_secret" => !has_secret_file,
            "api_secret_file" => has_secret_file,
            _ => true,
        });
        Ok(all)
    }

    fn one(&self, setting: &'static Setting) -> Shown<'a> {
        let unset = Shown::of(setting.name);
        let given = self.given(setting.name);
        let source = given
            .as_ref()
            .map(|_| self.matches.value_source(setting.name));
        if source == Some(Some(ValueSource::CommandLine)) {
            return Shown {
                value: given,
                source: "option",
                option: Some(format!("--{}", setting.name.replace('_', "-"))),
                ..unset
            };
        }
        if let Some(variable) = setting.variable() {
            return unset.by_variable(setting, variable);
        }
        let values = self.config.into_iter().flat_map(|config| &config.values);
        let mut values = values.filter(|value| value.setting.name == setting.name);
        match values.next() {
            Some(value) => {
                let secret = setting.is_secret().then(|| MASK.to_owned());
                self.in_file(value, unset.with_value(secret.or(given)))
            }
            None => unset.with_value(given),
        }
    }

    /// The value of an option, whatever its source, without secrets.
    fn given(&self, name: &str) -> Option<String> {
        let texts = self.matches.try_get_raw(name).ok().flatten()?;
        let texts: Vec<_> = texts.map(|text| text.to_string_lossy()).collect();
        let text = texts.join(", ");
        match name {
            // Options in its query can be secrets; the sink knows which ones are not.
            "to" => match parse_target(&text) {
                Ok(url) if url.scheme() != "file" => Some(self.registry.shown(&url)),
                _ => Some(text),
            },
            _ => Some(text),
        }
    }

    fn in_file(&self, value: &Value, shown: Shown<'a>) -> Shown<'a> {
        let profile = self.config.and_then(|config| config.profile.as_deref());
        Shown {
            source: "file",
            file: self.config.map(|config| config.path.as_path()),
            line: Some(value.line),
            profile: profile.filter(|_| value.in_profile),
            ..shown
        }
    }

    /// The options of the target, those of the command line first.
    fn sink_options(&self) -> Result<Vec<Shown<'a>>, Failure> {
        let sink = &self.args.settings.sink;
        let mut all = Vec::new();
        for text in &sink.sink_option {
            let (name, _) = values::sink_option(text).map_err(Failure::usage)?;
            all.push(Shown {
                source: "option",
                option: Some("--sink-option".to_owned()),
                // It may be a secret, and the user has just typed it.
                ..Shown::of(&format!("sink_options.{name}")).with_value(Some(MASK.to_owned()))
            });
        }
        let Some(config) = self.config else {
            return Ok(all);
        };
        for value in &config.values {
            let Some(option) = &value.option else {
                continue;
            };
            let name = format!("sink_options.{option}");
            let is_of_target = sink.from_file.iter().any(|(known, _)| known == option);
            if !is_of_target || all.iter().any(|shown| shown.setting == name) {
                continue;
            }
            let text = value
                .texts
                .first()
                .map(|text| text.to_string_lossy().into_owned());
            let text = match config.is_secret(value) {
                true => Some(MASK.to_owned()),
                false => text,
            };
            all.push(self.in_file(value, Shown::of(&name).with_value(text)));
        }
        Ok(all)
    }
}

impl Shown<'_> {
    fn of(setting: &str) -> Self {
        Self {
            setting: setting.to_owned(),
            value: None,
            source: "default",
            option: None,
            variable: None,
            file: None,
            line: None,
            profile: None,
        }
    }

    fn with_value(self, value: Option<String>) -> Self {
        Self { value, ..self }
    }

    fn by_variable(self, setting: &Setting, variable: &'static str) -> Self {
        let text = std::env::var_os(variable);
        let text = text.map(|text| values::unwrapped(&text.to_string_lossy()).to_owned());
        let is_path = variable.ends_with("_FILE") && variable != "TULIP_CA_FILE";
        let is_secret = setting.name.starts_with("api_secret") || variable == "TULIP_AUTH";
        let value = match text {
            Some(path) if is_path => Some(format!("in {path}")),
            Some(_) if is_secret => Some(MASK.to_owned()),
            other => other,
        };
        Self {
            value,
            source: "variable",
            variable: Some(variable),
            ..self
        }
    }
}
