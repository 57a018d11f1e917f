//! The content of archives: machine activity as CSV, generated from a seed.

mod archive;
mod date;
mod row;
mod schema;
mod template;

pub(crate) use archive::machine_seed;
pub use archive::{CsvArchive, CsvError};
pub(crate) use date::{EPOCH_WEEKDAY, civil};
pub use schema::MachineKind;
pub(crate) use template::Template;
