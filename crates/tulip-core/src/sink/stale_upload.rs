//! Records of writers that ended without being closed or aborted, to resume or discard what they
//! left.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The record of a writer whose process may have ended before the writer did.
///
/// ```
/// use tulip_core::{Timestamp, sink::StaleUpload};
/// let known = StaleUpload::new(Timestamp::now()).with_resume_token(Some("upload 7".to_owned()));
/// assert_eq!(known.resume_token.as_deref(), Some("upload 7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StaleUpload {
    /// When the writer was opened. Anything older is not its own.
    pub opened: Timestamp,
    /// The last [`SinkWriter::resume_token`](super::SinkWriter::resume_token) that was remembered,
    /// if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
}

impl StaleUpload {
    /// Creates the record of a writer opened at this time, without a resume token.
    #[must_use]
    pub const fn new(opened: Timestamp) -> Self {
        Self {
            opened,
            resume_token: None,
        }
    }

    /// Sets the writer's resume token.
    #[must_use]
    pub fn with_resume_token(mut self, token: Option<String>) -> Self {
        self.resume_token = token;
        self
    }
}
