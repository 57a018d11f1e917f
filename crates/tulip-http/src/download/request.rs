//! Requests to the host of an archive.

/// The checkpoint of a download, and what must be unchanged for another to continue there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How many bytes have been received, from the first one on.
    pub bytes: u64,
    /// The archive's strong entity tag.
    pub etag: String,
    /// The length of the whole archive, if it is known.
    pub length: Option<u64>,
}

impl Checkpoint {
    /// Creates a checkpoint of `bytes`, with the archive's strong entity tag and whole length.
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
    /// The end, after the last byte; `None` for all that follows.
    pub(crate) end: Option<u64>,
    /// The archive's strong entity tag, if some of it is there already.
    pub(crate) etag: Option<String>,
    /// The archive's length, if it is known.
    pub(crate) length: Option<u64>,
}

impl RangeRequest {
    /// The whole archive, by a request without a range, which every host understands.
    pub(crate) const WHOLE: Self = Self {
        start: 0,
        end: None,
        etag: None,
        length: None,
    };

    /// Returns where the range ends in an archive of `length` bytes.
    pub(crate) fn end_within(&self, length: u64) -> u64 {
        self.end.map_or(length, |end| end.min(length))
    }

    /// Returns the `Range` header, or `None` for the whole archive.
    pub(crate) fn range(&self) -> Option<String> {
        match (self.start, self.end) {
            (0, None) => None,
            (start, None) => Some(format!("bytes={start}-")),
            (start, Some(end)) => Some(format!("bytes={start}-{}", end.saturating_sub(1))),
        }
    }
}
