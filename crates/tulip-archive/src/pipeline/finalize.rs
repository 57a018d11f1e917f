//! The receipt, written last: an object with a receipt is whole.

use tracing::{debug, warn};
use tulip_core::sink::OpenOptions;
use tulip_core::{ObjectKey, Receipt, ReceiptObject, Timestamp, Tool};

use super::commit::Committed;
use super::plan::is_object_of;
use crate::context::Context;
use crate::recovery::Recovery;
use crate::{CreateOnly, Event, ExportError, ExportErrorKind, Outcome};

pub(super) async fn finalize(
    cx: &mut Context,
    recovery: &mut Recovery,
    committed: Committed,
) -> Result<Outcome, ExportError> {
    let create_only = committed.create_only;
    let receipt = receipt(cx, committed);
    store(cx, recovery, receipt, create_only).await
}

/// Writes the receipt that an earlier run did not get to write, if its object is still there
/// unchanged.
pub(super) async fn finish_receipt(
    cx: &mut Context,
    recovery: &mut Recovery,
    receipt: Receipt,
) -> Result<Option<Outcome>, ExportError> {
    let key = &receipt.object.key;
    let found = cx.setup.sink.lookup(key).await.ok().flatten();
    // Without an entity tag, it may be a different object.
    let is_there =
        found.is_some_and(|found| found.etag.is_some() && is_object_of(&found, &receipt));
    if !is_there {
        debug!(%key, "the object that lacks a receipt is no longer there");
        return Ok(None);
    }
    store(cx, recovery, receipt, None).await.map(Some)
}

async fn store(
    cx: &mut Context,
    recovery: &mut Recovery,
    receipt: Receipt,
    create_only: Option<CreateOnly>,
) -> Result<Outcome, ExportError> {
    write(cx, recovery, &receipt).await?;
    still_ours(cx, &receipt).await?;
    recovery.receipt_stored();
    cx.emit(Event::Exported { receipt: &receipt });
    Ok(Outcome::Exported {
        location: cx.setup.sink.location(&receipt.object.key),
        receipt: Box::new(receipt),
        create_only,
    })
}

fn receipt(cx: &Context, committed: Committed) -> Receipt {
    let Committed {
        started,
        stored,
        inspection,
        source_etag,
        attempts,
        ..
    } = committed;
    let object = ReceiptObject::new(started.key, cx.setup.sink.scheme()).with_etag(stored.etag);
    let tool = Tool::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let checksum = inspection.checksum;
    let mut receipt = Receipt::new(started.job, object, checksum, Timestamp::now(), tool);
    receipt.machine = cx.source.known_machine().cloned();
    receipt.machine_name = cx.source.machine_name().map(str::to_owned);
    receipt.machine_type = cx.source.machine_type().map(str::to_owned);
    receipt.bytes = inspection.bytes;
    receipt.records = inspection.framing.records;
    receipt.columns = inspection.framing.columns;
    receipt.source_etag = source_etag;
    receipt.started = started.plan.began;
    receipt.attempts = attempts;
    receipt
}

async fn write(
    cx: &mut Context,
    recovery: &mut Recovery,
    receipt: &Receipt,
) -> Result<(), ExportError> {
    let sink = cx.setup.sink.clone();
    let what = format!(
        "{} is stored, but its receipt could not be written",
        sink.location(&receipt.object.key)
    );
    let json = receipt
        .to_json()
        .map_err(|error| ExportError::new(ExportErrorKind::Store, format!("{what}: {error}")))?;
    let failed = |error| ExportError::sink(what.as_str(), error);
    let mut metadata = cx.metadata(&receipt.job);
    metadata.insert("tulip-checksum".to_owned(), receipt.checksum.to_string());
    let options = OpenOptions::default()
        .with_content_type("application/json")
        .with_size_hint(Some(json.len() as u64))
        .with_metadata(metadata);
    let key = receipt.object.key.receipt();
    let opened = sink.open(&key, &options).await;
    let token = opened
        .as_ref()
        .ok()
        .and_then(|writer| writer.resume_token());
    let stored = recovery.object_stored(sink.as_ref(), receipt, &key, token);
    stored.await?;
    let mut writer = opened.map_err(failed)?;
    match writer.write(json.into()).await {
        Ok(()) => writer.close().await.map(drop).map_err(failed),
        Err(error) => {
            if let Err(left) = writer.abort().await {
                warn!(%key, error = %left, "could not remove staged data of {key}: {left}");
            }
            Err(failed(error))
        }
    }
}

/// Looks up the object once more. Another host that writes the same key shares no lock with this
/// one, so the object can be from one and the receipt from the other. This export must report that.
async fn still_ours(cx: &mut Context, receipt: &Receipt) -> Result<(), ExportError> {
    let sink = cx.setup.sink.as_ref();
    let key: &ObjectKey = &receipt.object.key;
    if !sink.capabilities().lookup {
        return Ok(());
    }
    let how = match sink.lookup(key).await {
        Ok(Some(found)) if is_object_of(&found, receipt) => return Ok(()),
        Ok(Some(_)) => "replaced",
        Ok(None) => "removed",
        Err(error) => {
            debug!(%key, %error, "the object could not be looked up after its receipt was written");
            return Ok(());
        }
    };
    let what = format!(
        "{} was {how} by another writer right after it was stored; export it again",
        sink.location(key)
    );
    Err(ExportError::new(ExportErrorKind::Conflict, what))
}
