//! Pages and documents that hosts send instead of an archive: HTML, XML, JSON.

use serde::de::IgnoredAny;
use serde_json::Value;
use tulip_core::one_line;

use super::finding::{Finding, NotCsv};
use super::transient::{is_transient_code, is_transient_title};
use crate::transport::{code_of_xml, title_of};

/// How many characters of a foreign title or code are shown.
const MAX_SHOWN: usize = 100;

/// Recognises HTML or XML. A CSV header that begins with `<` and a character that begins no tag is
/// neither.
pub(super) fn markup(text: &[u8]) -> Option<NotCsv> {
    let is_markup = matches!(
        text.get(1),
        Some(b'!' | b'?' | b'/' | b'a'..=b'z' | b'A'..=b'Z')
    );
    if !is_markup {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    if let Some(code) = code_of_xml(&text) {
        return Some(NotCsv {
            what: format!("an XML error, code {code}"),
            is_transient: is_transient_code(code),
        });
    }
    let is_html = ["<!doctype html", "<html", "<head", "<body", "<title"];
    if !is_html.iter().any(|tag| lower.contains(tag)) {
        return Some(NotCsv::passive("an XML document"));
    }
    let title = title_of(&text).map(|title| one_line(title, MAX_SHOWN));
    Some(match title.filter(|title| !title.is_empty()) {
        Some(title) => NotCsv {
            what: format!("an HTML page titled {title:?}"),
            is_transient: is_transient_title(&title),
        },
        None => NotCsv::passive("an HTML page"),
    })
}

/// Whether the title or error code of a document is in the text.
pub(super) fn is_markup_told(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    code_of_xml(&text).is_some() || title_of(&text).is_some()
}

/// Recognises JSON, but not a CSV header that begins like it: `[Zone],State`.
pub(super) fn json(text: &[u8], is_all: bool) -> Option<Finding> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next()? {
        Ok(_) => {
            let end = values.byte_offset();
            let after = text[end..].iter().find(|byte| !b" \t\r".contains(byte));
            match after {
                None if !is_all => Some(Finding::Unclear),
                None | Some(b'\n') => Some(Finding::NotCsv(json_document(&text[..end]))),
                Some(_) => has_name(text).then(not_json),
            }
        }
        // It is cut off here, or more follows.
        Err(error) if error.is_eof() && is_all => Some(Finding::NotCsv(json_document(text))),
        Err(error) if error.is_eof() => Some(Finding::Unclear),
        Err(_) => has_name(text).then(not_json),
    }
}

/// The finding for text like JSON, but with raw line breaks or single quotes.
fn not_json() -> Finding {
    Finding::NotCsv(NotCsv::passive("JSON"))
}

/// Whether a text begins like an object: a brace, a quoted name and a colon.
fn has_name(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let Some([quote @ (b'"' | b'\''), name @ ..]) = inner else {
        return false;
    };
    let end = name.iter().position(|byte| byte == quote);
    end.is_some_and(|end| name[end + 1..].trim_ascii_start().starts_with(b":"))
}

/// Describes a JSON document by its error code, if it has one.
fn json_document(document: &[u8]) -> NotCsv {
    let Ok(value) = serde_json::from_slice::<Value>(document) else {
        return NotCsv::passive("JSON");
    };
    let error = value.get("error").filter(|error| error.is_object());
    let fields = error.unwrap_or(&value);
    for name in ["errorCode", "code", "Code", "status", "statusCode", "error"] {
        let code = match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => one_line(text, MAX_SHOWN),
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        return NotCsv {
            what: format!("a JSON error, {name} {code}"),
            is_transient: is_transient_code(&code),
        };
    }
    NotCsv::passive("JSON")
}
