//! Framing: how many records a CSV has, which columns, and whether it is whole.
//!
//! Records and fields are those of the csv crate with its default settings, for every input: a
//! quote opens a field only at the field's start, and is a plain character anywhere else outside
//! quotes; CR, LF and CR LF each end a record; empty lines are no records; a UTF-8 byte order mark
//! at the start is not part of the first field. A file whose lines end with CR alone is read like
//! any other, because pandas, DuckDB and the csv crate read it and the records are all there.
//!
//! A CSV is whole if it has a header with at least one name and
//!
//! - does not end inside a quoted field,
//! - ends with a line break outside quotes ([`FinalLineBreak`]); with both bytes of it if the header
//!   ends with CR LF, or with CR and nothing follows,
//! - has as many fields in the last record as in the header, and no bare JSON object there
//!   ([`RaggedRecords`]),
//! - has no NUL byte, is not in UTF-16 or UTF-32, and does not end with ^Z (0x1A). Readers make
//!   data of all three, or fail on them.

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
