//! Why an archive tells nothing of states.

/// Why an archive tells nothing of states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// It has no such column. Tulip does not document the columns.
    #[error("the archive has no column {0:?}")]
    NoColumn(&'static str),
    /// A record is longer than can be read.
    #[error("a record is longer than 1 MiB")]
    RecordTooLong,
}
