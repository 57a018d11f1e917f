//! What a host is asked for.

/// The checkpoint of a download, and what must not have changed for another to continue there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How many bytes are there, from the first one on.
    pub bytes: u64,
    /// The archive's strong entity tag.
    pub etag: String,
    /// The bytes of the whole, where they are known.
    pub length: Option<u64>,
}

impl Checkpoint {
    /// A checkpoint by its bytes, and the archive's strong entity tag and whole length.
    #[must_use]
    pub fn new(bytes: u64, etag: impl Into<String>, length: Option<u64>) -> Self {
        Self {
            bytes,
            etag: etag.into(),
            length,
        }
    }
}

/// A range of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeRequest {
    /// The first byte.
    pub(crate) start: u64,
    /// The end behind the last byte; `None` for all that follows.
    pub(crate) end: Option<u64>,
    /// The strong entity tag of the archive, where some of it is there already.
    pub(crate) etag: Option<String>,
    /// The bytes of that archive, where they are known.
    pub(crate) length: Option<u64>,
}

impl RangeRequest {
    /// The whole archive, by a request that names no range: every host understands it.
    pub(crate) const WHOLE: Self = Self {
        start: 0,
        end: None,
        etag: None,
        length: None,
    };

    /// Where it ends in an archive of `length` bytes.
    pub(crate) fn end_within(&self, length: u64) -> u64 {
        self.end.map_or(length, |end| end.min(length))
    }

    /// `Range`, where the request has one.
    pub(crate) fn range(&self) -> Option<String> {
        match (self.start, self.end) {
            (0, None) => None,
            (start, None) => Some(format!("bytes={start}-")),
            (start, Some(end)) => Some(format!("bytes={start}-{}", end.saturating_sub(1))),
        }
    }
}
