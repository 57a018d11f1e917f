//! Reading stored receipts.

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ObjectKey, Receipt, one_line};

/// The folder at the target for the manifests of runs of many exports. Loaders skip names that
/// begin with `_`.
pub const RUNS_FOLDER: &str = "_runs";

/// The maximum size of a receipt. Even one that lists all columns of a machine has just a few kB.
const MAX_RECEIPT: usize = 4 * 1024 * 1024;

/// The maximum length of the reason why a receipt cannot be read, in characters, since parsers
/// quote their input.
const MAX_REASON: usize = 300;

/// Why a receipt cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiptError {
    /// The sink could not be read. That says nothing about the receipt.
    #[error(transparent)]
    Read(#[from] SinkError),
    /// The object is not a receipt.
    #[error("{location} is not a receipt: {reason}")]
    Invalid {
        /// Its location, without secrets.
        location: String,
        /// What is wrong with it, on one line.
        reason: String,
    },
}

/// Reads the receipt of the object at `key`; `None` if it has none.
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
