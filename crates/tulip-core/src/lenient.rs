//! Reading fields that only inform: whatever they hold, the rest must not be lost over them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
