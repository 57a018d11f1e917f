//! The lines of `tulip verify --json`.

use serde::Serialize;
use tulip_core::Receipt;

/// An archive that was verified or repaired, as `--json` prints it; documented in
/// docs/operations.md.
#[derive(Serialize)]
pub(super) struct VerificationLine<'a> {
    pub(super) location: &'a str,
    pub(super) status: &'static str,
    pub(super) detail: Option<String>,
    pub(super) error_kind: Option<&'static str>,
    pub(super) retryable: Option<bool>,
    pub(super) receipt: Option<&'a Receipt>,
}

impl<'a> VerificationLine<'a> {
    pub(super) fn new(location: &'a str, status: &'static str) -> Self {
        Self {
            location,
            status,
            detail: None,
            error_kind: None,
            retryable: None,
            receipt: None,
        }
    }
}
