//! The rules for the end of a CSV.

use serde::{Deserialize, Serialize};

/// Whether the last record must end with a line break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FinalLineBreak {
    /// It must. Nothing else distinguishes a CSV that was cut off inside its last field from a
    /// whole one.
    #[default]
    Required,
    /// It may be missing (RFC 4180, section 2.2). The caller guarantees that all bytes arrived; an
    /// export does so only if the host has announced the length.
    Optional,
}

/// Whether the last record may have more or fewer fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RaggedRecords {
    /// It may not, nor may it be or end with a bare JSON object: a service that fails midway
    /// appends its error to the records that it has already sent.
    #[default]
    Refuse,
    /// It may have any number of fields, with any text.
    Allow,
}

/// The requirements on the end of a CSV for it to count as whole. The defaults are the strictest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FramingRules {
    /// Whether the last record must end with a line break.
    pub final_line_break: FinalLineBreak,
    /// Whether the last record may have a different number of fields than the header.
    pub ragged: RaggedRecords,
}

impl FramingRules {
    /// Returns the default rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rule for the final line break.
    #[must_use]
    pub fn with_final_line_break(mut self, rule: FinalLineBreak) -> Self {
        self.final_line_break = rule;
        self
    }

    /// Sets the rule for the last record's fields.
    #[must_use]
    pub fn with_ragged(mut self, rule: RaggedRecords) -> Self {
        self.ragged = rule;
        self
    }
}
