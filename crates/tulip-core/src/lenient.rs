//! Reading fields of replies so that nothing is lost over one of an odd kind.

use std::fmt::Display;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An identifier: a text, or a whole number as its digits. Nothing else can be one.
pub(crate) fn id<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error: Display>,
{
    let text = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return Err(D::Error::custom("an id is a text or a whole number")),
    };
    T::try_from(text).map_err(D::Error::custom)
}

/// A text, or whatever else there is as JSON; `None` for null.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// As [`text`], with null as the empty text.
pub(crate) fn text_or_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Ok(text(deserializer)?.unwrap_or_default())
}

/// A value that may be null instead of its default.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
