//! The check whether a body can be a CSV archive at all. Hosts, and servers in front of them, also
//! send errors, sign-in pages and compressed files with status 200. A body that looks like a line
//! of text is left to the CSV reader.

use tulip_core::one_line;

mod document;
mod finding;
mod magic;
mod media_type;
#[cfg(test)]
mod tests;
mod transient;

pub(super) use finding::{Finding, NotCsv};
pub(super) use media_type::is_tolerable;

use document::{is_markup_told, json, markup};

/// How many first bytes are inspected at most.
pub(super) const MOST: usize = 8 * 1024;

/// With this many first bytes, or a whole line, it is clear whether they are text at all.
const ENOUGH: usize = 64;

/// How many characters of a foreign media type are shown.
const MAX_SHOWN: usize = 100;

/// Inspects the first bytes of a body; `is_all` if no more will come.
pub(super) fn look_at(bytes: &[u8], is_all: bool) -> Finding {
    let is_all = is_all || bytes.len() >= MOST;
    let bytes = &bytes[..bytes.len().min(MOST)];
    if let Some(name) = magic::format_of(bytes) {
        return Finding::NotCsv(NotCsv::passive(name));
    }
    let is_enough = bytes.len() >= ENOUGH || bytes.contains(&b'\n');
    if !is_all && !is_enough {
        return Finding::Unclear;
    }
    let text = without_blanks(bytes);
    match text.first() {
        None if !is_all => Finding::Unclear,
        Some(b'<') => match markup(text) {
            Some(_) if !is_all && !is_markup_told(text) => Finding::Unclear,
            Some(found) => Finding::NotCsv(found),
            None => Finding::Csv,
        },
        Some(b'{' | b'[') => match json(text, is_all) {
            Some(found) => found,
            None => Finding::Csv,
        },
        _ if magic::is_binary(bytes) => Finding::NotCsv(NotCsv::passive("binary data")),
        Some(b'-') => match multipart(text) {
            Some(true) => Finding::NotCsv(NotCsv::passive("a multipart body")),
            None if !is_all => Finding::Unclear,
            _ => Finding::Csv,
        },
        _ => Finding::Csv,
    }
}

/// Strips a byte order mark and blanks of any kind.
fn without_blanks(bytes: &[u8]) -> &[u8] {
    let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let blanks = text.len() - text.trim_start_matches(blank).len();
    &bytes[blanks..]
}

/// Whether parts with their own headers follow a boundary; `None` if more bytes are needed.
fn multipart(text: &[u8]) -> Option<bool> {
    const HEADER: &[u8] = b"content-";
    if !text.starts_with(b"--") {
        return Some(false);
    }
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let header = text[end + 1..].get(..HEADER.len())?;
    Some(header.eq_ignore_ascii_case(HEADER))
}

/// Describes a body whose `Content-Type` no CSV has.
pub(super) fn describe(content_type: Option<&[u8]>, bytes: &[u8]) -> NotCsv {
    if let Finding::NotCsv(found) = look_at(bytes, true) {
        return found;
    }
    let named = content_type
        .and_then(media_type::essence)
        .unwrap_or_default();
    let what = format!("its type is {}", one_line(&named, MAX_SHOWN));
    NotCsv::passive(&what)
}
