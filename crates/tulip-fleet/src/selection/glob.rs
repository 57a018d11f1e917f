//! Name patterns.

use std::str::FromStr;

/// A pattern of names, ids or types: `*` matches any text, `?` one character, `[abc]` and `[a-z]`
/// one of several, `[!abc]` any other. Matching is case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(glob::Pattern);

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{glob:?} is no glob: {reason} at character {position}")]
#[non_exhaustive]
pub struct GlobError {
    /// The text.
    pub glob: String,
    /// What is wrong with it.
    pub reason: String,
    /// The position of the wrong character, counted from 1.
    pub position: usize,
}

impl Glob {
    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let failed = |error: glob::PatternError| GlobError {
            glob: text.to_owned(),
            reason: error.msg.to_owned(),
            position: error.pos + 1,
        };
        glob::Pattern::new(text).map(Self).map_err(failed)
    }
}
