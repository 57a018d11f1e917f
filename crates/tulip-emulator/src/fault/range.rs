//! Ranged replies that differ from the request.

/// The ways in which a ranged reply can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeFault {
    /// Another range is served: it begins this many bytes later than asked, or earlier if the
    /// number is negative, within the archive. `Content-Range` matches it.
    Shifted {
        /// The shift in bytes.
        by: i64,
    },
    /// `Content-Range` gives this total length, whatever the archive's length is.
    Total(u64),
    /// There is no `Content-Range`.
    Missing,
    /// `Content-Range` is this text, such as `bytes 5-9/*` or something unreadable.
    Text(String),
    /// The body has this many bytes and announces them, while `Content-Range` is the one asked for.
    /// A body longer than the range continues with the archive, then with blanks.
    Bytes(u64),
    /// `Content-Length` is this, while the body is that of the range. A longer body is cut there, a
    /// shorter one ends with the connection. No effect on chunked replies.
    Length(u64),
}

/// A ranged reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Bytes `start..end` of the archive are sent.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Followed by this many blanks.
    pub(crate) filler: u64,
    pub(crate) content_range: Option<String>,
    pub(crate) content_length: Option<u64>,
}

impl Part {
    /// The reply that was asked for: bytes `start..end` of `length`.
    pub(crate) fn new(start: u64, end: u64, length: u64) -> Self {
        let last = end.saturating_sub(1);
        Self {
            start,
            end,
            filler: 0,
            content_range: Some(format!("bytes {start}-{last}/{length}")),
            content_length: None,
        }
    }

    /// The reply with `fault`, for an archive of `length` bytes.
    pub(crate) fn spoilt(mut self, fault: &RangeFault, length: u64) -> Self {
        let last = self.end.saturating_sub(1);
        match fault {
            RangeFault::Shifted { by } => {
                let start = self.start.saturating_add_signed(*by).min(last);
                return Self::new(start, self.end, length);
            }
            RangeFault::Total(total) => {
                self.content_range = Some(format!("bytes {}-{last}/{total}", self.start));
            }
            RangeFault::Missing => self.content_range = None,
            RangeFault::Text(text) => self.content_range = Some(text.clone()),
            RangeFault::Bytes(bytes) => {
                let end = self.start.saturating_add(*bytes);
                self.end = end.min(length);
                self.filler = end - self.end;
            }
            RangeFault::Length(bytes) => self.content_length = Some(*bytes),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(fault: RangeFault) -> (u64, u64, u64, String) {
        let part = Part::new(5, 8, 10).spoilt(&fault, 10);
        let range = part.content_range.unwrap_or_default();
        (part.start, part.end, part.filler, range)
    }

    #[test]
    fn a_shift_stays_inside_the_archive() {
        let shifted = |by| spoilt(RangeFault::Shifted { by });
        assert_eq!(shifted(1), (6, 8, 0, "bytes 6-7/10".to_owned()));
        assert_eq!(shifted(-1), (4, 8, 0, "bytes 4-7/10".to_owned()));
        assert_eq!(shifted(99), (7, 8, 0, "bytes 7-7/10".to_owned()));
        assert_eq!(shifted(i64::MIN), (0, 8, 0, "bytes 0-7/10".to_owned()));
    }

    #[test]
    fn a_longer_body_goes_on_in_the_archive_and_then_in_blanks() {
        let with = |bytes| spoilt(RangeFault::Bytes(bytes));
        let range = "bytes 5-7/10".to_owned();
        assert_eq!(with(0), (5, 5, 0, range.clone()));
        assert_eq!(with(2), (5, 7, 0, range.clone()));
        assert_eq!(with(4), (5, 9, 0, range.clone()));
        assert_eq!(with(9), (5, 10, 4, range));
        assert_eq!(spoilt(RangeFault::Bytes(u64::MAX)).1, 10);
    }
}
