//! What writers leave that ended without being closed or aborted, and how it is resumed.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is known of a writer whose process may have ended before the writer did.
///
/// ```
/// use tulip_core::{Timestamp, sink::Leftover};
/// let known = Leftover::new(Timestamp::now()).with_trace(Some("upload 7".to_owned()));
/// assert_eq!(known.trace.as_deref(), Some("upload 7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Leftover {
    /// When the writer was opened: what is older is not its own.
    pub opened: Timestamp,
    /// What [`SinkWriter::trace`] last said, if it ever said something that was remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl Leftover {
    /// A writer that was opened at this time, without a resume token.
    #[must_use]
    pub const fn new(opened: Timestamp) -> Self {
        Self {
            opened,
            trace: None,
        }
    }

    /// The same with the writer's trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<String>) -> Self {
        self.trace = trace;
        self
    }
}
