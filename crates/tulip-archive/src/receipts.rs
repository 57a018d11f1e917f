//! Receipts beside objects: written last, and read to find out that nothing needs to be done.

use tracing::{debug, warn};
use tulip_core::sink::{Metadata, OpenOptions, Sink, SinkError, SinkErrorKind, StoredObject};
use tulip_core::{ObjectKey, Receipt};

use crate::export::{Outcome, Run};
use crate::{Event, ExportError, ExportErrorKind};

/// A receipt is a few kB, with as many columns as a machine has fields; more than this is none.
const MAX_RECEIPT: usize = 4 * 1024 * 1024;

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
        let json = receipt
            .to_json()
            .map_err(|error| ExportError::new(ExportErrorKind::Sink, what()).with_cause(error))?;
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

/// Reads the receipt of the object at `key`.
pub(crate) async fn read_receipt(
    sink: &dyn Sink,
    key: &ObjectKey,
) -> Result<Option<Receipt>, SinkError> {
    let key = key.receipt();
    let Some(mut reader) = sink.read(&key).await? else {
        return Ok(None);
    };
    let mut json = Vec::new();
    while let Some(chunk) = reader.next().await? {
        json.extend_from_slice(&chunk);
        if json.len() > MAX_RECEIPT {
            return Err(no_receipt(sink, &key, "it is too large".to_owned()));
        }
    }
    match Receipt::from_json(&json) {
        Ok(receipt) => Ok(Some(receipt)),
        Err(error) => Err(no_receipt(sink, &key, error.to_string())),
    }
}

fn no_receipt(sink: &dyn Sink, key: &ObjectKey, why: String) -> SinkError {
    let what = format!("{} is not a receipt", sink.location(key));
    SinkError::new(SinkErrorKind::Other, what).with_source(why)
}
