//! The framer, which counts records and checks that a CSV is whole.

use super::excerpt::Excerpt;
use super::header::Header;
use super::scan::{Found, Scanner};
use super::{FinalLineBreak, FramingError, FramingRules, RaggedRecords, kernel};

/// The records and columns of a whole CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Framing {
    /// The number of records after the header. Empty lines are not records.
    pub records: u64,
    /// The fields of the header.
    pub columns: Vec<String>,
}

/// Counts the records of a CSV that arrives in chunks of any size, at several GB/s, and checks at
/// the end whether it was [whole](super). Keeps the header and the beginnings of two records in
/// memory.
#[derive(Debug, Clone)]
pub(crate) struct Framer {
    state: State,
    rules: FramingRules,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is what a framer is for almost all of its life"
)]
enum State {
    Header(Header),
    Body(Body),
}

/// The state after the end of the header.
#[derive(Debug, Clone)]
struct Body {
    columns: Vec<String>,
    scanner: Scanner,
    header_bytes: u64,
    /// The number of bytes so far, including the header.
    bytes: u64,
    last_byte: u8,
    /// Whether the header ends with CR LF, as far as known.
    is_crlf: bool,
    /// The beginnings of the last record that has ended and of the open one.
    last: Excerpt,
    open: Excerpt,
}

impl Framer {
    /// Creates a framer without bytes.
    pub(crate) const fn new(rules: FramingRules) -> Self {
        Self {
            state: State::Header(Header::new()),
            rules,
        }
    }

    /// Adds the next bytes. After an error the framer can no longer be used.
    ///
    /// # Errors
    /// [`FramingError`] if this can no longer become an acceptable CSV: the header is too long,
    /// blank, or in UTF-16 or UTF-32, or there are NUL bytes.
    pub(crate) fn update(&mut self, chunk: &[u8]) -> Result<(), FramingError> {
        match &mut self.state {
            State::Body(body) => body.update(chunk),
            State::Header(header) => {
                let Some(end) = header.update(chunk)? else {
                    return Ok(());
                };
                let mut body = Body::new(header)?;
                let result = body.update(&chunk[end..]);
                self.state = State::Body(body);
                result
            }
        }
    }

    /// The number of whole records after the header so far.
    pub(crate) fn records(&self) -> u64 {
        match &self.state {
            State::Header(_) => 0,
            State::Body(body) => body.records(),
        }
    }

    /// Returns the records and columns if that was a whole CSV.
    ///
    /// # Errors
    /// [`FramingError`] if it was not.
    pub(crate) fn finish(self) -> Result<Framing, FramingError> {
        match self.state {
            State::Header(header) => Body::new(&header)?.finish(self.rules),
            State::Body(body) => body.finish(self.rules),
        }
    }
}

impl Body {
    /// Continues after a header, which may not have ended yet.
    fn new(header: &Header) -> Result<Self, FramingError> {
        let columns = header.columns()?;
        let bytes = header.bytes.as_slice();
        let (last, open) = match (header.scanner.open_fields(), header.text()) {
            (None, [record @ .., _line_break]) => (Excerpt::of(record), Excerpt::new()),
            (_, record) => (Excerpt::new(), Excerpt::of(record)),
        };
        Ok(Self {
            columns,
            scanner: header.scanner,
            header_bytes: bytes.len() as u64,
            bytes: bytes.len() as u64,
            last_byte: bytes.last().copied().unwrap_or_default(),
            // The LF may be in the next chunk.
            is_crlf: bytes.ends_with(b"\r"),
            last,
            open,
        })
    }

    /// The number of whole records after the header.
    fn records(&self) -> u64 {
        self.scanner.records().saturating_sub(1)
    }

    fn update(&mut self, chunk: &[u8]) -> Result<(), FramingError> {
        let before = self.scanner;
        let scan = kernel::scan(&mut self.scanner, chunk);
        if scan.has_nul {
            let text = chunk.split(|byte| *byte == 0).next().unwrap_or_default();
            self.scanner = before;
            kernel::scan(&mut self.scanner, text);
            return Err(FramingError::NulByte {
                offset: self.bytes + text.len() as u64,
                records: self.records(),
            });
        }
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else {
            return Ok(());
        };
        if self.bytes == self.header_bytes {
            self.is_crlf &= *first == b'\n';
        }
        self.bytes += chunk.len() as u64;
        self.last_byte = *last;
        self.excerpt(chunk, scan.last);
        Ok(())
    }

    /// Keeps the beginnings of the last record and of the open one.
    fn excerpt(&mut self, chunk: &[u8], last: Option<Found>) {
        let Some(Found { begin, end }) = last else {
            self.open.extend(chunk);
            return;
        };
        self.last = match begin {
            Some(begin) => Excerpt::of(&chunk[begin..end]),
            None => {
                self.open.extend(&chunk[..end]);
                self.open.clone()
            }
        };
        self.open = Excerpt::of(&chunk[end + 1..]);
    }

    fn finish(self, rules: FramingRules) -> Result<Framing, FramingError> {
        let open_fields = self.scanner.open_fields();
        let (end, fields) = match open_fields {
            Some(fields) => (&self.open, fields),
            None => (&self.last, self.scanner.fields()),
        };
        let refuses_ragged = rules.ragged == RaggedRecords::Refuse;
        let is_required = rules.final_line_break == FinalLineBreak::Required;
        let is_ragged = fields != self.columns.len() as u64;
        let records = self.records();
        if refuses_ragged && end.ends_with_json() {
            return Err(FramingError::JsonRecord {
                begins: end.shown(),
            });
        }
        if self.scanner.is_inside_quotes() {
            return Err(FramingError::OpenQuote {
                records,
                begins: end.shown(),
            });
        }
        if end.is_control_z() || (open_fields.is_some() && self.last_byte == 0x1a) {
            let records = records - u64::from(open_fields.is_none() && records > 0);
            return Err(FramingError::ControlZ { records });
        }
        if open_fields.is_some() && (is_required || (refuses_ragged && is_ragged)) {
            return Err(FramingError::OpenRecord {
                records,
                fields,
                columns: self.columns.len(),
                begins: end.shown(),
            });
        }
        // The open record may be the header itself.
        let records = self.scanner.records() + u64::from(open_fields.is_some()) - 1;
        if refuses_ragged && is_ragged {
            return Err(FramingError::RaggedRecord {
                record: records,
                fields,
                columns: self.columns.len(),
                begins: end.shown(),
            });
        }
        if is_required && self.is_crlf && self.last_byte == b'\r' {
            return Err(FramingError::HalfLineBreak { records });
        }
        Ok(Framing {
            records,
            columns: self.columns,
        })
    }
}

#[cfg(test)]
mod tests;
