//! The plan of an export, checked against the sink before the first request to Tulip.

use tracing::debug;
use tulip_core::sink::{Capabilities, StoredObject, WriteMode};
use tulip_core::{JobId, ObjectKey, Receipt, Timestamp};

use crate::context::Context;
use crate::receipts::read_receipt;
use crate::recovery::Recovery;
use crate::template::{Field, KeyTemplate, Values};
use crate::{Event, ExportError, ExportErrorKind, IfExists, Outcome};

/// What is to be exported, and how.
pub(crate) struct Plan {
    pub(super) template: KeyTemplate,
    /// The job, if it is known before the export starts one.
    pub(super) job: Option<JobId>,
    /// The capabilities that the probe has found.
    pub(super) capabilities: Capabilities,
    /// When the export began, in this run or an earlier one.
    pub(super) began: Timestamp,
    /// The time for the fields of the template.
    dated: Timestamp,
}

pub(super) enum Planned {
    Export(Box<Plan>),
    /// There is nothing to do.
    Done(Outcome),
}

impl Plan {
    /// The mode to write the object in.
    pub(super) fn mode(&self, if_exists: IfExists) -> WriteMode {
        match if_exists != IfExists::Overwrite && self.capabilities.atomic_create {
            true => WriteMode::Create,
            false => WriteMode::Overwrite,
        }
    }

    pub(super) fn key(&self, cx: &Context, job: Option<&JobId>) -> Result<ObjectKey, ExportError> {
        Ok(self.template.render(Values {
            source: &cx.source,
            job,
            workspace: cx.setup.client.workspace(),
            dated: self.dated,
        })?)
    }

    /// The key, unless it depends on a job that is not started yet.
    fn known_key(&self, cx: &Context) -> Result<Option<ObjectKey>, ExportError> {
        let is_known = !self.template.uses(Field::Job) || self.job.is_some();
        is_known
            .then(|| self.key(cx, self.job.as_ref()))
            .transpose()
    }
}

/// Probes the sink before the first request to Tulip.
pub(super) async fn probe(cx: &mut Context) -> Result<Capabilities, ExportError> {
    let capabilities = cx.setup.probe().await?.capabilities;
    cx.setup.check_if_exists(capabilities)?;
    Ok(capabilities)
}

/// Finds out whether there is anything to do. If the key does not depend on the job, no job is
/// started needlessly.
pub(super) async fn plan(
    cx: &mut Context,
    recovery: &mut Recovery,
    capabilities: Capabilities,
) -> Result<Planned, ExportError> {
    let plan = Plan {
        template: match &cx.setup.name {
            Some(template) => template.clone(),
            None => KeyTemplate::default_for(&cx.source),
        },
        job: recovery.job().or(cx.source.known_job()).cloned(),
        capabilities,
        began: recovery.began(),
        dated: recovery.dated(),
    };
    if let Some(key) = plan.known_key(cx)? {
        let replaces = cx.setup.if_exists == IfExists::Overwrite;
        if !cx.setup.repairs
            && (recovery.is_resumed() || replaces)
            && let Some(outcome) = unchanged(cx, &plan, &key).await
        {
            return Ok(Planned::Done(outcome));
        }
        if let Some(outcome) = already_there(cx, capabilities, &key).await? {
            return Ok(Planned::Done(outcome));
        }
    }
    Ok(Planned::Export(Box::new(plan)))
}

/// Applies `if_exists` to an existing object.
pub(super) async fn already_there(
    cx: &mut Context,
    can: Capabilities,
    key: &ObjectKey,
) -> Result<Option<Outcome>, ExportError> {
    let setup = &cx.setup;
    if setup.if_exists == IfExists::Overwrite || !can.lookup {
        return Ok(None);
    }
    if setup.lookup(key).await?.is_none() {
        return Ok(None);
    }
    if setup.if_exists == IfExists::Fail {
        let what = format!("{} already exists", setup.sink.location(key));
        return Err(ExportError::new(ExportErrorKind::AlreadyExists, what));
    }
    Ok(Some(cx.skipped(key).await))
}

/// Returns the outcome if the archive of this job is already stored.
async fn unchanged(cx: &mut Context, plan: &Plan, key: &ObjectKey) -> Option<Outcome> {
    let setup = &cx.setup;
    let sink = setup.sink.as_ref();
    let can = plan.capabilities;
    let job = plan.job.as_ref().filter(|_| can.lookup && can.read)?;
    let receipt = match read_receipt(sink, key).await {
        Ok(receipt) => receipt?,
        Err(error) => {
            debug!(%key, %error, "the receipt cannot be used");
            return None;
        }
    };
    let is_ours = receipt.job == *job
        && receipt.object.key == *key
        && receipt.checksum.algorithm() == setup.algorithm;
    let stored = sink.lookup(key).await.ok().flatten();
    if !is_ours || !stored.is_some_and(|stored| is_object_of(&stored, &receipt)) {
        return None;
    }
    let location = sink.location(key);
    cx.emit(Event::Unchanged { receipt: &receipt });
    Some(Outcome::Unchanged {
        location,
        receipt: Box::new(receipt),
    })
}

/// Whether an object is still the one that a receipt was written for.
pub(super) fn is_object_of(stored: &StoredObject, receipt: &Receipt) -> bool {
    let same_tag = match (&stored.etag, &receipt.object.etag) {
        (Some(stored), Some(written)) => stored == written,
        _ => true,
    };
    stored.bytes == receipt.bytes && same_tag
}
