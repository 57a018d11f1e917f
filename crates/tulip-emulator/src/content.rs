//! The content that the asset host serves for a job.

use bytes::Bytes;

use crate::csv::CsvArchive;
use crate::random::hash;

/// The bytes that the asset host serves for a job, according to its script.
#[derive(Debug, Clone)]
pub struct Content {
    source: Source,
    len: u64,
    altered: bool,
}

#[derive(Debug, Clone)]
enum Source {
    Archive(CsvArchive),
    Bytes(FixedContent),
}

/// Bytes supplied by a test, with their digest, which is computed once instead of per request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FixedContent {
    bytes: Bytes,
    digest: u64,
}

impl FixedContent {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }
}

/// A hash of `bytes`. It works on words because builds without optimisation hash large contents
/// too.
fn digest(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut digest = hash(rest) ^ bytes.len() as u64;
    for word in words {
        digest = (digest.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
    }
    digest
}

impl Content {
    pub(crate) fn archive(archive: CsvArchive) -> Self {
        Self {
            len: archive.len(),
            source: Source::Archive(archive),
            altered: false,
        }
    }

    pub(crate) fn fixed(fixed: FixedContent) -> Self {
        Self {
            len: fixed.bytes.len() as u64,
            source: Source::Bytes(fixed),
            altered: false,
        }
    }

    pub(crate) fn truncated(mut self, len: Option<u64>) -> Self {
        self.len = self.len.min(len.unwrap_or(u64::MAX));
        self
    }

    /// Replaces letters and digits by others; the length stays.
    pub(crate) fn altered(mut self) -> Self {
        self.altered = true;
        self
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the content is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns at most `max` bytes from `offset` on, none at or past the end.
    #[must_use]
    pub fn chunk(&self, offset: u64, max: usize) -> Bytes {
        let left = self.len.saturating_sub(offset);
        let max = usize::try_from(left).map_or(max, |left| left.min(max));
        if max == 0 {
            return Bytes::new();
        }
        let chunk = match &self.source {
            Source::Archive(archive) => archive.chunk(offset, max),
            // Within the bytes, since `max` is at most what is left.
            Source::Bytes(fixed) => usize::try_from(offset)
                .ok()
                .map_or_else(Bytes::new, |from| fixed.bytes.slice(from..from + max)),
        };
        if self.altered {
            chunk.iter().copied().map(alter).collect()
        } else {
            chunk
        }
    }

    /// Returns the whole content in memory. Meant for small ones.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.chunk(0, usize::MAX)
    }

    /// The `ETag` from this replica, with its quotes.
    pub(crate) fn etag(&self, replica: u64) -> String {
        let digest = match &self.source {
            Source::Archive(archive) => archive.digest(),
            Source::Bytes(fixed) => fixed.digest,
        };
        let digest = if self.altered { !digest } else { digest };
        let digest = digest.wrapping_add(replica);
        let [a, b] = [digest, digest ^ self.len].map(|half| hash(&half.to_le_bytes()));
        format!("\"{a:016x}{b:016x}\"")
    }
}

/// Returns another letter or digit. Bytes that structure a record stay.
fn alter(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0' + (b'9' - byte),
        b'a'..=b'z' | b'A'..=b'Z' => byte ^ 0x20,
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &'static str) -> Content {
        Content::fixed(FixedContent::new(text.into()))
    }

    #[test]
    fn chunks_stop_at_the_truncation() {
        let content = content("0123456789").truncated(Some(7));
        assert_eq!(content.len(), 7);
        assert_eq!(content.to_bytes(), "0123456");
        assert_eq!(content.chunk(5, 100), "56");
        assert_eq!(content.chunk(7, 1), "");
        assert_eq!(content.chunk(u64::MAX, 1), "");
    }

    #[test]
    fn other_content_has_another_tag() {
        let tag = |text| content(text).etag(0);
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
        assert_ne!(tag("0123456789"), tag("1023456789"));
        assert_ne!(tag("0123456789abcdef"), tag("89abcdef01234567"));
        assert_ne!(tag("ab"), content("ab").truncated(Some(1)).etag(0));
        assert_ne!(tag("a"), content("a").etag(1));
        assert_eq!(tag("a").len(), 34);
    }

    #[test]
    fn altered_content_differs_but_in_length_and_form() {
        let altered = content("Ab,\"09\"\n").altered();
        assert_eq!(altered.to_bytes(), "aB,\"90\"\n");
        assert_eq!(altered.chunk(1, 2), "B,");
        assert_ne!(altered.etag(0), content("Ab,\"09\"\n").etag(0));
        assert_ne!(content("").altered().etag(0), content("").etag(0));
    }
}
