//! Findings on the first bytes of a body.

/// Something that is not a CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCsv {
    /// A description on one line: "gzip", "an XML error, code SlowDown".
    pub(crate) what: String,
    /// Whether it reports a temporary failure, such as a store's `SlowDown`.
    pub(crate) is_transient: bool,
}

/// A finding on the first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It can be a CSV.
    Csv,
    NotCsv(NotCsv),
    /// More bytes are needed.
    Unclear,
}

impl NotCsv {
    /// Creates a finding that does not report a temporary failure.
    pub(super) fn passive(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            is_transient: false,
        }
    }
}
