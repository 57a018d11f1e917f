//! The reasons why bytes are not a whole CSV.

/// The maximum length of the header in bytes, including blank lines before it and its line break.
pub(super) const MAX_HEADER: usize = 1024 * 1024;

/// Why a CSV is not accepted as whole.
///
/// `begins` fields hold the first characters of a record, on one line, without control characters
/// and with URLs masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// There is no record, not even a header.
    #[error("the archive is empty, without even a header")]
    Empty,
    /// The first record is longer than 1 MiB.
    #[error("the first record has over {MAX_HEADER} bytes; this is not the CSV that was expected")]
    HeaderTooLong,
    /// No field of the first record has a name.
    #[error("the header names no column; this is not the CSV that was expected")]
    BlankHeader,
    /// The text has two or four bytes per character.
    #[error("the archive is {encoding}, not UTF-8")]
    WideEncoding {
        /// `UTF-16LE`, `UTF-16BE`, `UTF-32LE` or `UTF-32BE`.
        encoding: &'static str,
    },
    /// There is a NUL byte, at the end or anywhere else.
    #[error(
        "the archive has a NUL byte at offset {offset}, after {records} whole records: it is padded, damaged, or not text in UTF-8"
    )]
    NulByte {
        /// The number of bytes before it.
        offset: u64,
        /// The number of whole records before it, without the header.
        records: u64,
    },
    /// It ends with ^Z (0x1A), which DOS programs append to texts.
    #[error(
        "the archive ends with ^Z (0x1A), the end-of-file mark of DOS, after {records} whole records; CSV readers take it for data"
    )]
    ControlZ {
        /// The number of whole records before it, without the header.
        records: u64,
    },
    /// It ends inside a quoted field.
    #[error(
        "the archive ends inside a quoted field, after {records} whole records: it was cut off, or a quote is never closed in the record that begins {begins:?}"
    )]
    OpenQuote {
        /// The number of whole records before the open one, without the header.
        records: u64,
        /// The beginning of the open record.
        begins: String,
    },
    /// Its last record does not end with a line break.
    #[error(
        "the archive ends without a line break, after {records} whole records, with {fields} of {columns} fields in the last: it was cut off, or its writer ends no record with a line break there; the last begins {begins:?}"
    )]
    OpenRecord {
        /// The number of whole records before the open one, without the header.
        records: u64,
        /// The number of fields of the open record.
        fields: u64,
        /// The number of fields of the header.
        columns: usize,
        /// The beginning of the open record.
        begins: String,
    },
    /// Its lines end with CR LF, but the last line, which may be the only one, ends with CR.
    #[error(
        "the archive ends between the CR and the LF of a line break, after {records} whole records: its last byte is missing"
    )]
    HalfLineBreak {
        /// The number of whole records, without the header.
        records: u64,
    },
    /// The last record has more or fewer fields than the header: often it is an error message.
    #[error("the last record (number {record}) has {} where the header has {columns}: {begins}", count(.fields))]
    RaggedRecord {
        /// The record's number; the first one after the header is 1.
        record: u64,
        /// The number of its fields.
        fields: u64,
        /// The number of fields of the header.
        columns: usize,
        /// Its beginning.
        begins: String,
    },
    /// The last record is or ends with a bare JSON object. CSV writers would quote it, so it is an
    /// error message.
    #[error("the archive ends with a JSON object in place of a record: {begins}")]
    JsonRecord {
        /// Its beginning.
        begins: String,
    },
}

fn count(fields: &u64) -> String {
    match fields {
        1 => "1 field".to_owned(),
        _ => format!("{fields} fields"),
    }
}
