//! The rule for objects that already exist.

use serde::{Deserialize, Serialize};

/// What to do if an object already exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IfExists {
    /// Replace it atomically.
    #[default]
    Overwrite,
    /// Keep it and succeed.
    Skip,
    /// Keep it and fail.
    Fail,
}
