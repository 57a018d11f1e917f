//! Excerpts of records.

use serde::de::IgnoredAny;
use tulip_core::one_line;

/// Enough bytes for [`SHOWN`] characters, so that no shown character is cut.
const KEPT: usize = 256;
/// The number of characters that messages show.
const SHOWN: usize = 60;

/// The first bytes of a record, as many as a message needs. Allocates nothing.
#[derive(Clone)]
pub(super) struct Excerpt {
    bytes: [u8; KEPT],
    len: usize,
    /// Whether the record has more bytes than are kept.
    is_cut: bool,
}

impl std::fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Excerpt").field(&self.shown()).finish()
    }
}

impl Excerpt {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; KEPT],
            len: 0,
            is_cut: false,
        }
    }

    pub(super) fn of(record: &[u8]) -> Self {
        let mut excerpt = Self::new();
        excerpt.extend(record);
        excerpt
    }

    /// Adds the next bytes of the record. Leading line breaks are not part of it.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) {
        if self.len == 0 {
            let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let first = bytes.iter().position(|byte| !blank(byte));
            bytes = &bytes[first.unwrap_or(bytes.len())..];
        }
        let kept = bytes.len().min(KEPT - self.len);
        self.bytes[self.len..][..kept].copy_from_slice(&bytes[..kept]);
        self.len += kept;
        self.is_cut |= kept < bytes.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The excerpt as messages show it.
    pub(super) fn shown(&self) -> String {
        one_line(&String::from_utf8_lossy(self.bytes()), SHOWN)
    }

    /// Whether the record ends with a JSON object, or a list of them, that no CSV writer wrote: its
    /// names have quotes, and a writer would quote a field that contains one. It is the whole
    /// record, or follows the part of a field that was written before the writer failed.
    pub(super) fn ends_with_json(&self) -> bool {
        let record = self.bytes().trim_ascii_start();
        if self.is_json(record) {
            return true;
        }
        let mut is_quoted = false;
        let mut field = 0;
        record.iter().enumerate().any(|(at, byte)| {
            match byte {
                b'"' if is_quoted || at == field => is_quoted = !is_quoted,
                b',' if !is_quoted => field = at + 1,
                b'{' if !is_quoted && !record[field..at].trim_ascii().is_empty() => {
                    return self.is_json(&record[at..]);
                }
                _ => {}
            }
            false
        })
    }

    fn is_json(&self, text: &[u8]) -> bool {
        let object = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
        let Some(inner) = object.strip_prefix(b"{") else {
            return false;
        };
        inner.trim_ascii_start().starts_with(b"\"")
            && match serde_json::from_slice::<IgnoredAny>(text) {
                Ok(_) => true,
                Err(error) => self.is_cut && error.is_eof(),
            }
    }

    /// Whether the record is nothing but ^Z.
    pub(super) fn is_control_z(&self) -> bool {
        self.len > 0 && !self.is_cut && self.bytes().iter().all(|byte| *byte == 0x1a)
    }
}
