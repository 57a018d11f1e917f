//! Why the states in an archive cannot be read.

/// Why the states in an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// A column is missing. Tulip does not document the columns.
    #[error("the archive has no column {0:?}")]
    NoColumn(&'static str),
    /// A record is longer than can be read.
    #[error("a record is longer than 1 MiB")]
    RecordTooLong,
}
