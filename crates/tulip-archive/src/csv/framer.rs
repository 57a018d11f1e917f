//! Records, columns, and whether a CSV is whole.

use serde::{Deserialize, Serialize};

use super::scan::Scanner;
use super::{header, kernel};

/// Whether the last record must end with a line break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FinalLineBreak {
    /// It must: a CSV that was cut off inside its last field is told from a whole one by nothing
    /// else.
    #[default]
    Required,
    /// It may be missing (RFC 4180, section 2.2), where the last record has as many fields as
    /// the header and the host announced the length that arrived.
    Optional,
}

/// What a whole CSV was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Framing {
    /// Records behind the header. Empty lines are none.
    pub records: u64,
    /// The header's fields.
    pub columns: Vec<String>,
}

/// Why a CSV is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// There is not a single record, not even a header.
    #[error("the archive is empty, without even a header")]
    Empty,
    /// The first record does not end within 1 MiB.
    #[error("the first record has over {MAX_HEADER} bytes; this is not the CSV that was expected")]
    HeaderTooLong,
    /// It ends inside a quoted field.
    #[error(
        "the archive ends inside a quoted field, after {records} whole records: it was cut off, or holds a quote that is not doubled"
    )]
    OpenQuote {
        /// Records behind the header that are whole.
        records: u64,
    },
    /// Its last record does not end with a line break.
    #[error(
        "the archive ends without a line break, after {records} whole records, with {fields} of {columns} fields in the last: it was cut off, unless this instance writes no line break at the end"
    )]
    OpenRecord {
        /// Records behind the header that are whole.
        records: u64,
        /// Fields of the record that is not.
        fields: u64,
        /// Fields of the header.
        columns: usize,
    },
}

/// The longest header that is kept, in bytes.
const MAX_HEADER: usize = 1024 * 1024;

/// Counts records while a CSV passes in chunks of any size, at several GB/s, and tells at the end
/// whether it was whole. Holds the header and nothing else.
///
/// Quotes are counted as RFC 4180 has them: a field that holds a quote is quoted itself.
///
/// ```
/// use tulip_archive::Framer;
/// let mut framer = Framer::new();
/// for chunk in ["State,Reason\r\nDown,\"no oil,", " see \"\"log\"\"\r\n\"\r\nRun", "ning,\r\n"] {
///     framer.update(chunk.as_bytes())?;
/// }
/// let framing = framer.finish()?;
/// assert_eq!((framing.records, framing.columns.len()), (2, 2));
/// # Ok::<(), tulip_archive::FramingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Framer {
    state: State,
    final_line_break: FinalLineBreak,
}

#[derive(Debug, Clone)]
enum State {
    Header { bytes: Vec<u8>, inside: bool },
    Body(Body),
}

#[derive(Debug, Clone)]
struct Body {
    columns: Vec<String>,
    scanner: Scanner,
    /// Bytes and commas of the record that has not ended.
    open_bytes: u64,
    open_commas: u64,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A framer that requires a line break at the end.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Header {
                bytes: Vec::new(),
                inside: false,
            },
            final_line_break: FinalLineBreak::Required,
        }
    }

    /// The same framer with another rule for the end. With [`FinalLineBreak::Optional`] the
    /// caller vouches that all announced bytes arrived.
    #[must_use]
    pub fn final_line_break(mut self, rule: FinalLineBreak) -> Self {
        self.final_line_break = rule;
        self
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FramingError::HeaderTooLong`].
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), FramingError> {
        let rest = match &mut self.state {
            State::Body(body) => {
                body.update(chunk);
                return Ok(());
            }
            State::Header { bytes, inside } => match header_end(bytes, inside, chunk) {
                Some(end) => {
                    bytes.extend_from_slice(&chunk[..end]);
                    &chunk[end..]
                }
                None if bytes.len() + chunk.len() > MAX_HEADER => {
                    return Err(FramingError::HeaderTooLong);
                }
                None => {
                    bytes.extend_from_slice(chunk);
                    return Ok(());
                }
            },
        };
        let State::Header { bytes, .. } = &self.state else {
            return Ok(());
        };
        let mut body = Body::new(header::columns(bytes));
        body.update(rest);
        self.state = State::Body(body);
        Ok(())
    }

    /// Records behind the header that have passed so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        match &self.state {
            State::Header { .. } => 0,
            State::Body(body) => body.scanner.records(),
        }
    }

    /// Tells whether that was a whole CSV.
    ///
    /// # Errors
    /// [`FramingError`] when it is empty, ends inside quotes, or without a line break.
    pub fn finish(self) -> Result<Framing, FramingError> {
        let optional = self.final_line_break == FinalLineBreak::Optional;
        match self.state {
            State::Header { bytes, .. } if bytes.trim_ascii().is_empty() => {
                Err(FramingError::Empty)
            }
            State::Header { inside: true, .. } => Err(FramingError::OpenQuote { records: 0 }),
            State::Header { bytes, .. } => {
                let columns = header::columns(&bytes);
                match optional {
                    true => Ok(Framing {
                        records: 0,
                        columns,
                    }),
                    false => Err(FramingError::OpenRecord {
                        records: 0,
                        fields: columns.len() as u64,
                        columns: columns.len(),
                    }),
                }
            }
            State::Body(body) => body.finish(optional),
        }
    }
}

/// Where in `chunk` the first record ends, if it does: behind the first line feed outside quotes
/// that something stands before.
fn header_end(before: &[u8], inside: &mut bool, chunk: &[u8]) -> Option<usize> {
    let mut blank = before.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    for (at, byte) in chunk.iter().enumerate() {
        match byte {
            b'"' => *inside = !*inside,
            b'\n' if !*inside && !blank => return Some(at + 1),
            _ => {}
        }
        blank &= matches!(byte, b'\r' | b'\n');
    }
    None
}

impl Body {
    fn new(columns: Vec<String>) -> Self {
        Self {
            columns,
            scanner: Scanner::after_record(),
            open_bytes: 0,
            open_commas: 0,
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        let mut inside = self.scanner.is_inside_quotes();
        let open = match kernel::scan(&mut self.scanner, chunk) {
            Some(start) => {
                (inside, self.open_bytes, self.open_commas) = (false, 0, 0);
                &chunk[start..]
            }
            None => chunk,
        };
        self.open_bytes += open.len() as u64;
        for byte in open {
            inside ^= *byte == b'"';
            self.open_commas += u64::from(*byte == b',' && !inside);
        }
    }

    fn finish(self, optional: bool) -> Result<Framing, FramingError> {
        let records = self.scanner.records();
        if self.scanner.is_inside_quotes() {
            return Err(FramingError::OpenQuote { records });
        }
        let fields = self.open_commas + 1;
        let whole = self.open_bytes == 0;
        let only_unended = optional && fields == self.columns.len() as u64;
        if !whole && !only_unended {
            return Err(FramingError::OpenRecord {
                records,
                fields,
                columns: self.columns.len(),
            });
        }
        Ok(Framing {
            records: records + u64::from(!whole),
            columns: self.columns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str, rule: FinalLineBreak) -> Result<Framing, FramingError> {
        let mut framer = Framer::new().final_line_break(rule);
        framer.update(text.as_bytes())?;
        framer.finish()
    }

    fn strict(text: &str) -> Result<u64, FramingError> {
        frame(text, FinalLineBreak::Required).map(|framing| framing.records)
    }

    #[test]
    fn a_header_alone_is_a_whole_archive() {
        let framing = frame("State,Start Time\r\n", FinalLineBreak::Required).unwrap();
        assert_eq!(
            (framing.records, framing.columns),
            (0, vec!["State".into(), "Start Time".into()])
        );
    }

    #[test]
    fn what_is_cut_off_is_told_by_where_it_ends() {
        assert_eq!(strict(""), Err(FramingError::Empty));
        assert_eq!(strict("\r\n\n"), Err(FramingError::Empty));
        assert_eq!(
            strict("a,b\n1,\"x"),
            Err(FramingError::OpenQuote { records: 0 })
        );
        assert_eq!(strict("\"a"), Err(FramingError::OpenQuote { records: 0 }));
        let open = |records, fields| {
            Err(FramingError::OpenRecord {
                records,
                fields,
                columns: 2,
            })
        };
        assert_eq!(strict("a,b"), open(0, 2));
        assert_eq!(strict("a,b\n1,2\n3"), open(1, 1));
        assert_eq!(strict("a,b\n1,2\n3,4"), open(1, 2));
    }

    #[test]
    fn a_missing_final_line_break_is_accepted_on_request_where_no_field_is_missing() {
        let records = |text| frame(text, FinalLineBreak::Optional).map(|framing| framing.records);
        assert_eq!(records("a,b"), Ok(0));
        assert_eq!(records("a,b\n1,2\n3,4"), Ok(2));
        assert_eq!(records("a,b\n1,2\n3,\"x,\ny\""), Ok(2));
        assert_eq!(records("a,b\n1,2\n"), Ok(1));
        assert!(records("a,b\n1,2\n3").is_err());
        assert!(records("a,b\n1,2\n3,\"4").is_err());
    }

    #[test]
    fn empty_lines_are_no_records() {
        assert_eq!(strict("\r\na,b\r\n\r\n1,2\r\n\n\n3,4\n\r\n"), Ok(2));
    }

    #[test]
    fn an_endless_first_record_is_given_up() {
        let mut framer = Framer::new();
        let chunk = vec![b'x'; 600 * 1024];
        framer.update(&chunk).unwrap();
        assert_eq!(framer.update(&chunk), Err(FramingError::HeaderTooLong));
    }

    proptest! {
        #[test]
        fn records_are_those_of_the_csv_crate_however_the_text_is_cut(
            rows in proptest::collection::vec(proptest::collection::vec("[a-c,\"\n\r é]{0,8}", 3), 1..12),
            crlf in any::<bool>(),
            size in 1..97_usize,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let text = writer.into_inner().unwrap();
            let mut framer = Framer::new();
            for chunk in text.chunks(size) {
                framer.update(chunk).unwrap();
            }
            let framing = framer.finish().unwrap();
            prop_assert_eq!(framing.records as usize, rows.len() - 1);
            prop_assert_eq!(&framing.columns, &rows[0]);
        }

        #[test]
        fn no_cut_is_taken_for_the_whole_unless_it_ends_a_record(
            rows in proptest::collection::vec(proptest::collection::vec("[a-c,\"\n]{0,6}", 3), 2..8),
            at in any::<prop::sample::Index>(),
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let text = writer.into_inner().unwrap();
            let cut = &text[..at.index(text.len())];
            let mut framer = Framer::new();
            framer.update(cut).unwrap();
            if framer.finish().is_ok() {
                prop_assert_eq!(cut.last(), Some(&b'\n'));
            }
        }
    }
}
