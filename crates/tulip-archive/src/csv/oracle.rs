//! The result of the csv crate for a text, in terms of [`Framer`]: the reference for tests and the
//! fuzz target.

use super::{FinalLineBreak, Framer, FramingError, FramingRules, RaggedRecords};

/// Records and columns, or the error without its excerpt.
pub(crate) type Outcome = Result<(u64, Vec<String>), FramingError>;

/// Cuts the text before each position for which `is_cut` holds.
pub(crate) fn cut(text: &[u8], is_cut: impl Fn(usize) -> bool) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in 1..text.len() {
        if is_cut(at) {
            pieces.push(&text[from..at]);
            from = at;
        }
    }
    pieces.push(&text[from..]);
    pieces
}

/// Returns the framer's result for the pieces.
pub(crate) fn found(pieces: &[&[u8]], rules: FramingRules) -> Outcome {
    let mut framer = Framer::new(rules);
    let fed = pieces.iter().try_for_each(|piece| framer.update(piece));
    let framing = fed.and_then(|()| framer.finish());
    match framing {
        Ok(framing) => Ok((framing.records, framing.columns)),
        // The csv crate does not distinguish encodings.
        Err(FramingError::WideEncoding { .. }) => Err(not_utf8(&pieces.concat())),
        Err(error) => Err(without_excerpt(error)),
    }
}

/// Returns the error for a header whose encoding is not a superset of ASCII.
fn not_utf8(text: &[u8]) -> FramingError {
    let nul = text.iter().position(|byte| *byte == 0);
    FramingError::NulByte {
        offset: nul.unwrap_or_default() as u64,
        records: 0,
    }
}

fn without_excerpt(mut error: FramingError) -> FramingError {
    if let FramingError::OpenQuote { begins, .. }
    | FramingError::OpenRecord { begins, .. }
    | FramingError::RaggedRecord { begins, .. }
    | FramingError::JsonRecord { begins } = &mut error
    {
        begins.clear();
    }
    error
}

/// Returns all records, and the end of the first one.
fn read(text: &[u8]) -> (Vec<csv::ByteRecord>, usize) {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(text);
    let (mut records, mut first_end) = (Vec::new(), text.len());
    let mut record = csv::ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .expect("bytes are read")
    {
        if records.is_empty() {
            first_end = reader.position().byte() as usize;
        }
        records.push(record.clone());
    }
    (records, first_end)
}

/// The way in which a text ends, found by appending to it.
struct End {
    /// Whether the next byte belongs to an open record, and for `is_quoted` to a quoted field of
    /// it.
    is_open: bool,
    is_quoted: bool,
    /// The number of whole records after the header.
    whole: u64,
}

impl End {
    fn of(text: &[u8], records: usize) -> Self {
        let count = |appended: &[u8]| read(&[text, appended].concat()).0.len();
        let is_open = count(b"x") == records;
        Self {
            is_open,
            is_quoted: count(b"\nx") == records,
            whole: (records - usize::from(is_open)).saturating_sub(1) as u64,
        }
    }
}

/// Returns the result that the framer must have for the text.
pub(crate) fn expected(text: &[u8], rules: FramingRules) -> Outcome {
    let (records, header_end) = read(text);
    let nul = text.iter().position(|byte| *byte == 0);
    let has_wide_mark = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    if nul.is_some_and(|at| at < header_end) || has_wide_mark {
        return Err(not_utf8(text));
    }
    let Some(header) = records.first() else {
        return Err(FramingError::Empty);
    };
    let name = |name| String::from_utf8_lossy(name).into_owned();
    let columns: Vec<String> = header.iter().map(name).collect();
    if columns.iter().all(|name| name.trim().is_empty()) {
        return Err(FramingError::BlankHeader);
    }
    if let Some(at) = nul {
        return Err(FramingError::NulByte {
            offset: at as u64,
            records: End::of(&text[..at], read(&text[..at]).0.len()).whole,
        });
    }
    let End {
        is_open,
        is_quoted,
        whole,
    } = End::of(text, records.len());
    let fields = records.last().map_or(0, |record| record.len()) as u64;
    let begins = String::new();
    if is_quoted {
        return Err(FramingError::OpenQuote {
            records: whole,
            begins,
        });
    }
    // The last record consists of ^Z alone, or is open and ends with ^Z.
    let ends_with_z = match is_open {
        true => text.last() == Some(&0x1a),
        false => {
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let mut lines = text.rsplit(|byte| matches!(byte, b'\r' | b'\n'));
            let last = lines.find(|line| !line.is_empty());
            last.is_some_and(|line| line.iter().all(|byte| *byte == 0x1a))
        }
    };
    if ends_with_z {
        let is_record = !is_open && records.len() > 1;
        return Err(FramingError::ControlZ {
            records: whole - u64::from(is_record),
        });
    }
    let refuses = rules.ragged == RaggedRecords::Refuse;
    let requires = rules.final_line_break == FinalLineBreak::Required;
    let is_ragged = refuses && fields != columns.len() as u64;
    let all = records.len() as u64 - 1;
    let is_crlf = text[..header_end].ends_with(b"\r")
        && text.get(header_end).is_none_or(|next| *next == b'\n');
    if is_open && (requires || is_ragged) {
        Err(FramingError::OpenRecord {
            records: whole,
            fields,
            columns: columns.len(),
            begins,
        })
    } else if is_ragged {
        Err(FramingError::RaggedRecord {
            record: all,
            fields,
            columns: columns.len(),
            begins,
        })
    } else if requires && is_crlf && text.ends_with(b"\r") {
        Err(FramingError::HalfLineBreak { records: all })
    } else {
        Ok((all, columns))
    }
}
