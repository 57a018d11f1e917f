//! Framing: the number of records in a CSV, its columns, and whether it is whole.
//!
//! For every input, records and fields are the same as those of the csv crate with its default
//! settings: a quote opens a quoted field only at the field's start, and is a plain character
//! anywhere else outside quotes; CR, LF and CR LF each end a record; empty lines are not records; a
//! UTF-8 byte order mark at the start is not part of the first field. A file whose lines end with
//! CR alone is accepted, because pandas, DuckDB and the csv crate read it without losing records.
//!
//! A CSV is whole if it has a header with at least one name and it
//!
//! - does not end inside a quoted field,
//! - ends with a line break outside quotes ([`FinalLineBreak`]), and with both of its bytes if the
//!   header ends with CR LF, or with CR at the end of the file,
//! - has as many fields in the last record as in the header, and no bare JSON object at its end
//!   ([`RaggedRecords`]),
//! - has no NUL byte, is not in UTF-16 or UTF-32, and does not end with ^Z (0x1A). Readers take all
//!   three for data, or fail on them.

mod error;
mod excerpt;
mod framer;
mod header;
mod kernel;
#[cfg(test)]
mod oracle;
mod rules;
mod scan;

pub use error::FramingError;
pub(crate) use framer::Framer;
pub use framer::Framing;
pub use rules::{FinalLineBreak, FramingRules, RaggedRecords};
