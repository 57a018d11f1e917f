//! What the beginning of a body turns out to be.

/// Something that is no CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCsv {
    /// What it is, on one line: "gzip", "an XML error, code SlowDown".
    pub(crate) what: String,
    /// It stands for a failure that passes, such as a store's `SlowDown`.
    pub(crate) is_transient: bool,
}

/// What the first bytes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It can be a CSV.
    Csv,
    NotCsv(NotCsv),
    /// More bytes are needed.
    Unclear,
}

impl NotCsv {
    /// Something that stands for no failure.
    pub(super) fn passive(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            is_transient: false,
        }
    }
}
