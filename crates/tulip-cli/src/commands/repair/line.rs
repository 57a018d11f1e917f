//! The lines of `--json`.

use serde::Serialize;
use tulip_archive::ExportErrorKind;
use tulip_core::Receipt;

use super::not_repaired::NotRepaired;
use crate::output::plain;

/// A repair, as `--json` prints it; documented in docs/operations.md.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) location: &'a str,
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<&'a Receipt>,
}

impl<'a> Line<'a> {
    pub(super) fn at(location: &'a str) -> Self {
        Self {
            location,
            verdict: "repaired",
            detail: None,
            error_kind: None,
            retryable: None,
            receipt: None,
        }
    }

    pub(super) fn of(location: &'a str, repaired: Result<&'a Receipt, &NotRepaired>) -> Self {
        match repaired {
            Ok(receipt) => Self {
                receipt: Some(receipt),
                ..Self::at(location)
            },
            Err(why) => Self {
                verdict: "not_repaired",
                detail: Some(plain(&why.what)),
                error_kind: why.kind.map(ExportErrorKind::as_str),
                retryable: Some(why.is_retryable()),
                ..Self::at(location)
            },
        }
    }
}
