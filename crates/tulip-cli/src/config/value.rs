//! Values of a config file, as the texts that options take.

use std::ffi::OsString;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeValue};
use tulip_archive::parse_target;

use super::setting::{Check, Kind};
use crate::values;

/// The texts for an option, or why the value cannot be used.
pub(super) type Texts = Result<Vec<OsString>, String>;

/// Reads a value. Paths are relative to `folder`, the folder of the file.
pub(super) fn texts(kind: Kind, value: &DeValue<'_>, folder: &Path) -> Texts {
    let one = match kind {
        Kind::Text(check) => checked(string(value)?, check)?,
        Kind::Secret => string(value)?.into(),
        Kind::Path => path(string(value)?, folder)?,
        Kind::Target => target(string(value)?, folder)?,
        Kind::Count(check) => match value {
            DeValue::Integer(number) => checked(&number.to_string(), check)?,
            other => return Err(unexpected("a number", other)),
        },
        Kind::Size => size(value)?,
        Kind::Switch => match value {
            DeValue::Boolean(on) => on.to_string().into(),
            other => return Err(unexpected("true or false", other)),
        },
        Kind::List(check) => return list(value, check),
        // The options in a table are read one by one, by `option`.
        Kind::SinkOptions => return Err(unexpected("a table", value)),
    };
    Ok(vec![one])
}

/// The value of one option of a target.
pub(super) fn option(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(on) => Ok(on.to_string()),
        other => Err(unexpected("a string, a number, or true or false", other)),
    }
}

fn string<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(unexpected("a string", other)),
    }
}

fn checked(text: &str, check: Check) -> Result<OsString, String> {
    check(text).map(|()| text.into())
}

fn size(value: &DeValue<'_>) -> Result<OsString, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(bytes) => bytes.to_string(),
        other => return Err(unexpected("a size such as \"50GiB\"", other)),
    };
    values::size(&text).map(|_| text.into())
}

fn list(value: &DeValue<'_>, check: Check) -> Texts {
    let each = |value: &Spanned<DeValue<'_>>| checked(string(value.get_ref())?, check);
    match value {
        DeValue::String(text) => Ok(vec![checked(text, check)?]),
        DeValue::Array(items) => items.iter().map(each).collect(),
        other => Err(unexpected("a string or an array of strings", other)),
    }
}

fn path(text: &str, folder: &Path) -> Result<OsString, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(folder.join(text).into()),
    }
}

fn target(text: &str, folder: &Path) -> Result<OsString, String> {
    let parsed = parse_target(text).map_err(|error| error.to_string())?;
    match parsed.scheme() {
        _ if text.trim() == "-" => Err("stdout is not a target for a config file".to_owned()),
        "file" if !text.trim_start().starts_with("file:") => Ok(folder.join(text.trim()).into()),
        _ => Ok(text.into()),
    }
}

/// Names the type of a value, not the value: it may be a secret.
fn unexpected(wanted: &str, found: &DeValue<'_>) -> String {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    format!("it takes {wanted}, not {found}")
}

/// The text of a key in the file.
pub(super) fn name<'a>(key: &'a Spanned<DeString<'_>>) -> &'a str {
    key.get_ref()
}
