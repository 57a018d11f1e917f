//! Receipts that are stored, read again.

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ObjectKey, Receipt, one_line};

/// The folder at the target in which runs of many exports write about themselves. Loaders skip
/// names that begin with `_`.
pub const RUNS_FOLDER: &str = "_runs";

/// A receipt is a few kB, with as many columns as a machine has fields; more than this is none.
const MAX_RECEIPT: usize = 4 * 1024 * 1024;

/// The most that is shown of why a receipt cannot be read, in characters: parsers quote what they
/// stumble over.
const MAX_REASON: usize = 300;

/// Why a receipt cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The sink could not be read. That says nothing about the receipt.
    #[error(transparent)]
    Read(#[from] SinkError),
    /// What lies there is no receipt.
    #[error("{location} is not a receipt: {reason}")]
    Invalid {
        /// Where it lies, without any secret.
        location: String,
        /// What is wrong with it, on one line.
        reason: String,
    },
}

impl ReceiptError {
    /// Whether reading it again can succeed without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.sink_error().is_some_and(SinkError::is_retryable)
    }

    /// The sink's error, where it could not be read.
    #[must_use]
    pub fn sink_error(&self) -> Option<&SinkError> {
        match self {
            Self::Read(error) => Some(error),
            Self::Invalid { .. } => None,
        }
    }
}

/// Reads the receipt of the object at `key`; `None` where it has none.
pub(crate) async fn read_receipt(
    sink: &dyn Sink,
    key: &ObjectKey,
) -> Result<Option<Receipt>, ReceiptError> {
    let key = key.receipt();
    let Some(mut reader) = sink.read(&key).await? else {
        return Ok(None);
    };
    let invalid = |reason: &str| ReceiptError::Invalid {
        location: sink.location(&key),
        reason: one_line(reason, MAX_REASON),
    };
    let mut json = Vec::new();
    while let Some(chunk) = reader.next().await? {
        json.extend_from_slice(&chunk);
        if json.len() > MAX_RECEIPT {
            return Err(invalid("it is too large"));
        }
    }
    let receipt = Receipt::from_json(&json);
    receipt
        .map(Some)
        .map_err(|error| invalid(&error.to_string()))
}
