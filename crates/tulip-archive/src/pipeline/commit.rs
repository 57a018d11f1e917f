//! The commit of the object, which makes it visible as a whole.

use tracing::info;
use tulip_core::sink::{Metadata, StoredObject};

use super::start::Started;
use super::transfer::Transferred;
use crate::context::Context;
use crate::inspect::Inspection;
use crate::read_back::read_back;
use crate::receipts::{ReceiptError, read_receipt};
use crate::recovery::Recovery;
use crate::{Advice, CreateOnly, Event, ExportError, ExportErrorKind, IfExists, Outcome};

/// A stored object that has no receipt yet.
pub(crate) struct Committed {
    pub(super) started: Started,
    pub(super) stored: StoredObject,
    pub(super) inspection: Inspection,
    pub(super) source_etag: Option<String>,
    pub(super) attempts: u32,
    pub(super) create_only: Option<CreateOnly>,
}

pub(super) enum Commit {
    Stored(Box<Committed>),
    /// Another writer has stored the object since the lookup.
    Skipped(Outcome),
}

pub(super) async fn commit(
    cx: &mut Context,
    recovery: &mut Recovery,
    transferred: Transferred,
) -> Result<Commit, ExportError> {
    let Transferred {
        started,
        mut writer,
        inspection,
        source_etag,
        attempts,
    } = transferred;
    if let Err(error) = refuse_loss(cx, &started, &inspection).await {
        recovery.abort(writer).await;
        return Err(error);
    }
    recovery.confirm().await?;
    cx.emit(Event::Committing);
    writer.annotate(&Metadata::from([(
        "tulip-checksum".to_owned(),
        inspection.checksum.to_string(),
    )]));
    let key = &started.key;
    let stored = match writer.close().await {
        Ok(stored) => stored,
        Err(error) => match stored_all_the_same(cx, &started, &inspection).await {
            Some(stored) => {
                info!(%key, %error, "the store's answer was lost, but the object is stored");
                stored
            }
            None if error.is_already_exists() && cx.setup.skips() => {
                return Ok(Commit::Skipped(cx.skipped(key).await));
            }
            None => return Err(ExportError::sink("could not store archive", error)),
        },
    };
    check_stored(&cx.setup.sink.location(key), &stored, &inspection)?;
    let create_only = match cx.setup.if_exists {
        IfExists::Overwrite => None,
        _ if started.plan.capabilities.atomic_create => Some(CreateOnly::Atomic),
        _ => Some(CreateOnly::CheckedBefore),
    };
    Ok(Commit::Stored(Box::new(Committed {
        started,
        stored,
        inspection,
        source_etag,
        attempts,
        create_only,
    })))
}

/// Refuses to replace an archive that has records with one that has none: a problem of the machine
/// or the export is more likely than the loss of its whole history.
async fn refuse_loss(
    cx: &mut Context,
    started: &Started,
    inspection: &Inspection,
) -> Result<(), ExportError> {
    let setup = &cx.setup;
    let replaces = setup.if_exists == IfExists::Overwrite && started.plan.capabilities.read;
    if inspection.framing.records > 0 || setup.allow_empty || !replaces {
        return Ok(());
    }
    let there = match started.plan.capabilities.lookup {
        true => match setup.lookup(&started.key).await? {
            Some(object) => Some(object.bytes),
            None => return Ok(()),
        },
        false => None,
    };
    let replaced = match (read_receipt(setup.sink.as_ref(), &started.key).await, there) {
        (Ok(Some(receipt)), _) if receipt.records == 0 => return Ok(()),
        (Ok(Some(receipt)), _) => format!("with {} records", receipt.records),
        // Without a receipt that says what is there, more bytes are taken for records.
        (Ok(None) | Err(ReceiptError::Invalid { .. }), Some(bytes)) if bytes > inspection.bytes => {
            format!("of {bytes} bytes, whose receipt is missing or damaged")
        }
        (Ok(None) | Err(ReceiptError::Invalid { .. }), _) => return Ok(()),
        (Err(ReceiptError::Read(error)), _) => {
            let what = "could not read the receipt of the archive that would be replaced";
            return Err(ExportError::sink(what, error));
        }
    };
    let what = format!(
        "the archive has a header and no records, and would replace {} {replaced}",
        setup.sink.location(&started.key),
    );
    let error = ExportError::new(ExportErrorKind::EmptyArchive, what);
    Err(error.with_advice(Advice::AllowEmpty))
}

/// Returns the stored object if it is ours although the commit failed: the store's answer was lost,
/// or a retried request met the object that it had created itself.
async fn stored_all_the_same(
    cx: &mut Context,
    started: &Started,
    inspection: &Inspection,
) -> Option<StoredObject> {
    let can = started.plan.capabilities;
    let sink = cx.setup.sink.as_ref();
    let found = match can.lookup {
        true => sink.lookup(&started.key).await.ok()??,
        false => return None,
    };
    if found.bytes != inspection.bytes {
        return None;
    }
    let agrees = found
        .checksum
        .as_ref()
        .and_then(|checksum| inspection.agrees_with(checksum));
    let is_ours = match agrees {
        Some(agrees) => agrees,
        None if can.read => {
            let algorithm = inspection.checksum.algorithm();
            let read = read_back(sink, &started.key, algorithm, |_| ())
                .await
                .ok()??;
            read.is_ok_and(|read| read.checksum == inspection.checksum)
        }
        None => false,
    };
    is_ours.then_some(found)
}

/// Compares the size and checksum that the store reports with the bytes that were sent.
fn check_stored(
    location: &str,
    stored: &StoredObject,
    inspection: &Inspection,
) -> Result<(), ExportError> {
    if stored.bytes != inspection.bytes {
        let (kept, sent) = (stored.bytes, inspection.bytes);
        let what = format!("{location} has {kept} bytes, but {sent} were sent");
        return Err(ExportError::new(ExportErrorKind::Store, what));
    }
    match &stored.checksum {
        Some(kept) if inspection.agrees_with(kept) == Some(false) => {
            let what = format!(
                "{location} holds other bytes than were sent: the store computed {kept}; \
                 do not use it, export it again"
            );
            Err(ExportError::new(ExportErrorKind::Store, what).retryable())
        }
        _ => Ok(()),
    }
}
