//! What may be accepted at the end of a CSV.

use serde::{Deserialize, Serialize};

/// Whether the last record must end with a line break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FinalLineBreak {
    /// It must. Nothing else tells a CSV that was cut off inside its last field from a whole one.
    #[default]
    Required,
    /// It may be missing (RFC 4180, section 2.2). The caller vouches that all bytes arrived; an
    /// export does only if the host has announced the length.
    Optional,
}

/// Whether the last record may have more or fewer fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RaggedRecords {
    /// It may not, nor may it be a bare JSON object: a service that fails midway appends its error
    /// to the records that it has already sent.
    #[default]
    Refuse,
    /// It may have any number of fields, and any text in them.
    Allow,
}

/// What the end of a CSV must be like for the CSV to be taken for whole. The default is the
/// strictest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FramingRules {
    /// Whether the last record must end with a line break.
    pub final_line_break: FinalLineBreak,
    /// Whether the last record may have another number of fields than the header.
    pub ragged: RaggedRecords,
}

impl FramingRules {
    /// The default rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same rules with another one for the final line break.
    #[must_use]
    pub fn with_final_line_break(mut self, rule: FinalLineBreak) -> Self {
        self.final_line_break = rule;
        self
    }

    /// The same rules with another one for the last record's fields.
    #[must_use]
    pub fn with_ragged(mut self, rule: RaggedRecords) -> Self {
        self.ragged = rule;
        self
    }
}
