//! The contents of a config file, with the line of each value.

use std::ffi::OsString;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::setting::{self, Kind, SETTINGS, Setting};
use super::value;

/// A value of the file.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) setting: &'static Setting,
    /// The name of the sink option, if it is one.
    pub(crate) option: Option<String>,
    /// The values for the command-line option.
    pub(crate) texts: Vec<OsString>,
    pub(crate) line: usize,
    /// Whether it comes from the profile.
    pub(crate) in_profile: bool,
}

/// A mistake in a file, and its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) what: String,
}

type Entry<'a> = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>);

/// The table that holds the profiles.
const PROFILES: &str = "profiles";

/// Reads a file and, if one is named, its profile.
pub(super) fn read(
    text: &str,
    profile: Option<&str>,
    folder: &Path,
) -> Result<Vec<Value>, Problem> {
    let document = DeTable::parse(text).map_err(|error| Problem {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        // The message names the expected syntax and quotes nothing.
        what: error.message().to_owned(),
    })?;
    let reader = Reader { text, folder };
    let document = document.get_ref();
    let mut values = Vec::new();
    let mut profiles = None;
    for entry in document {
        match value::name(entry.0) {
            PROFILES => profiles = Some(reader.table(entry)?),
            _ => reader.setting(entry, false, &mut values)?,
        }
    }
    reader.refuse_two_secrets(&values)?;
    let mut chosen = None;
    // Check every profile, so that a mistake shows before its profile is needed.
    for entry in profiles.into_iter().flatten() {
        let mut found = Vec::new();
        for setting in reader.table(entry)? {
            reader.setting(setting, true, &mut found)?;
        }
        reader.refuse_two_secrets(&found)?;
        if Some(value::name(entry.0)) == profile {
            chosen = Some(found);
        }
    }
    match (profile, chosen) {
        (None, _) => Ok(values),
        (Some(_), Some(found)) => Ok(merged(values, found)),
        (Some(name), None) => {
            let names = profiles
                .into_iter()
                .flatten()
                .map(|(name, _)| value::name(name));
            Err(Problem {
                line: 1,
                what: format!("no profile {name:?}{}", suggestion(name, names)),
            })
        }
    }
}

/// Merges the values of a profile over those of the file.
fn merged(mut values: Vec<Value>, profile: Vec<Value>) -> Vec<Value> {
    let names = |name: &str| profile.iter().any(|value| value.setting.name == name);
    let is_replaced = |value: &Value| {
        let setting = value.setting;
        let same = |other: &Value| {
            let same_place = other.setting.name == setting.name && other.option == value.option;
            same_place || is_secret(other) && is_secret(value)
        };
        let belongs_elsewhere = match setting.group {
            Some(setting::Group::Instance) => names("base_url"),
            Some(setting::Group::Target) => names("to"),
            None => false,
        };
        belongs_elsewhere || profile.iter().any(same)
    };
    values.retain(|value| !is_replaced(value));
    values.extend(profile);
    values
}

/// Whether a value is the secret of the API key, or the path of its file.
fn is_secret(value: &Value) -> bool {
    matches!(value.setting.name, "api_secret" | "api_secret_file")
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
}

impl<'a> Reader<'a> {
    fn setting(
        &self,
        (name, found): Entry<'_>,
        in_profile: bool,
        values: &mut Vec<Value>,
    ) -> Result<(), Problem> {
        let key = value::name(name);
        let line = line_of(self.text, name.span().start);
        let Some(setting) = setting::find(key) else {
            let known = SETTINGS.iter().map(|setting| setting.name);
            let known = known.chain((!in_profile).then_some(PROFILES));
            let what = format!("unknown setting {key:?}{}", suggestion(key, known));
            return Err(Problem { line, what });
        };
        let said = |what: String| Problem {
            line,
            what: format!("{key}: {what}"),
        };
        let value = |option: Option<String>, texts: Vec<OsString>, line| Value {
            setting,
            option,
            texts,
            line,
            in_profile,
        };
        if let (Kind::SinkOptions, DeValue::Table(options)) = (setting.kind, found.get_ref()) {
            for (name, found) in options {
                let text = value::option(found.get_ref()).map_err(said)?;
                let name_line = line_of(self.text, name.span().start);
                let name = value::name(name).to_owned();
                values.push(value(Some(name), vec![text.into()], name_line));
            }
            return Ok(());
        }
        let texts = value::texts(setting.kind, found.get_ref(), self.folder).map_err(said)?;
        values.push(value(None, texts, line));
        Ok(())
    }

    fn table<'t>(&self, (name, found): Entry<'t>) -> Result<&'t DeTable<'t>, Problem> {
        match found.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(Problem {
                line: line_of(self.text, name.span().start),
                what: format!("{}: it takes a table", value::name(name)),
            }),
        }
    }

    fn refuse_two_secrets(&self, values: &[Value]) -> Result<(), Problem> {
        let mut secrets = values.iter().filter(|value| is_secret(value));
        match (secrets.next(), secrets.next()) {
            (Some(_), Some(second)) => Err(Problem {
                line: second.line,
                what: "api_secret and api_secret_file are both set; leave one of them out"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// The number of the line that holds the byte at `at`.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Suggests the name that was probably meant, or else lists all known names.
fn suggestion<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    let similar = |name: &&str| (strsim::jaro_winkler(found, name) * 1000.0) as u32;
    let closest = known.iter().copied().max_by_key(similar);
    match closest.filter(|name| similar(name) >= 800) {
        Some(name) => format!("; did you mean {name:?}?"),
        None if known.is_empty() => String::new(),
        None => format!("; known are {}", known.join(", ")),
    }
}
