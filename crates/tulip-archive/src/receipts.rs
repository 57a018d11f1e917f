//! Receipts beside objects: written last, and read to find out that nothing needs to be done.

use tracing::{debug, warn};
use tulip_core::sink::{Metadata, OpenOptions, Sink, SinkError, StoredObject};
use tulip_core::{ObjectKey, Receipt, one_line};

use crate::export::{Outcome, Run};
use crate::{Event, ExportError, ExportErrorKind};

/// A receipt is a few kB, with as many columns as a machine has fields; more than this is none.
const MAX_RECEIPT: usize = 4 * 1024 * 1024;

/// The most that is shown of why a receipt cannot be read, in characters: parsers quote what they
/// stumble over.
const MAX_REASON: usize = 300;

impl Run {
    /// The outcome where the archive of this very job is stored already.
    pub(crate) async fn unchanged(&mut self, key: &ObjectKey) -> Option<Outcome> {
        let shared = self.exporter.shared.clone();
        let sink = shared.sink.as_ref();
        let can = sink.capabilities();
        let job = self.job.as_ref().filter(|_| can.lookup && can.read)?;
        let receipt = match read_receipt(sink, key).await {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return None,
            Err(error) => {
                debug!(%key, %error, "the receipt cannot be read");
                return None;
            }
        };
        let is_ours = receipt.job == *job
            && receipt.object.key == *key
            && receipt.checksum.algorithm() == shared.algorithm;
        let stored = sink.lookup(key).await.ok().flatten();
        if !is_ours || !stored.is_some_and(|stored| is_of(&stored, &receipt)) {
            return None;
        }
        (self.observer)(Event::Unchanged { receipt: &receipt });
        Some(Outcome::Unchanged {
            location: sink.location(key),
            receipt: Box::new(receipt),
        })
    }

    /// Writes the receipt beside the object, last: where it lies, the object is whole.
    pub(crate) async fn store_receipt(
        &mut self,
        receipt: &Receipt,
        mut metadata: Metadata,
        location: &str,
    ) -> Result<(), ExportError> {
        let sink = self.exporter.shared.sink.clone();
        let what = || format!("{location} is stored and whole, but its receipt is not");
        let json = receipt.to_json().map_err(|error| {
            ExportError::new(ExportErrorKind::Store, format!("{}: {error}", what()))
        })?;
        let failed = |error| ExportError::sink(what(), error);
        metadata.insert("tulip-checksum".to_owned(), receipt.checksum.to_string());
        let options = OpenOptions::default()
            .with_content_type("application/json")
            .with_size_hint(Some(json.len() as u64))
            .with_metadata(metadata);
        let key = receipt.object.key.receipt();
        let mut writer = sink.open(&key, &options).await.map_err(failed)?;
        self.receipt_begun(&key, writer.trace()).await;
        match writer.write(json.into()).await {
            Ok(()) => {
                writer.close().await.map_err(failed)?;
                self.receipt_done();
                Ok(())
            }
            Err(error) => {
                if let Err(left) = writer.abort().await {
                    warn!(%key, error = %left, "what was staged could not be removed");
                }
                Err(failed(error))
            }
        }
    }
}

/// Whether an object is still the one that a receipt was written for.
fn is_of(stored: &StoredObject, receipt: &Receipt) -> bool {
    let same_tag = match (&stored.etag, &receipt.object.etag) {
        (Some(stored), Some(written)) => stored == written,
        _ => true,
    };
    stored.bytes == receipt.bytes && same_tag
}

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
