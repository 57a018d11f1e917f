//! What happens to an object that is there already.

use serde::{Deserialize, Serialize};

/// What to do when an object is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IfExists {
    /// Replace it, at once and whole.
    #[default]
    Overwrite,
    /// Leave it, and call that a success.
    Skip,
    /// Leave it, and call that a failure.
    Fail,
}
