//! Opening the download and the object.

use tracing::warn;
use tulip_core::sink::{OpenOptions, SinkWriter};
use tulip_http::{Checkpoint, Download};

use super::start::Started;
use super::wait::Ready;
use crate::ExportError;
use crate::cancellation::{Cancellation, Graced};
use crate::context::Context;
use crate::recovery::{Recovery, ResumedObject};

/// Returns the part of the object that an earlier run has written, if it can be resumed.
pub(super) async fn resumed(
    cx: &mut Context,
    recovery: &mut Recovery,
    started: &Started,
) -> Option<ResumedObject> {
    let options = options(cx, started, None);
    let setup = &cx.setup;
    recovery.resume_object(setup, &started.key, &options).await
}

/// Opens the download, at the checkpoint of an earlier run if there is one.
pub(super) async fn download(
    cx: &mut Context,
    ready: &Ready,
    checkpoint: Option<Checkpoint>,
) -> Result<Download, ExportError> {
    let (client, job) = (&cx.setup.client, &ready.started.job);
    let resource = ready.resource.clone();
    let opened = match checkpoint {
        Some(checkpoint) => Box::pin(client.resume_download(job, resource, checkpoint)).await,
        None => Box::pin(client.download(job, resource)).await,
    };
    opened.map_err(ExportError::download)
}

/// Opens the object; `None` if one exists and [`IfExists::Skip`] keeps it.
pub(super) async fn object(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    started: &Started,
    length: Option<u64>,
) -> Result<Option<Box<dyn SinkWriter>>, ExportError> {
    let options = options(cx, started, length);
    let setup = &cx.setup;
    let sink = setup.sink.as_ref();
    match cancellation.grace(sink.open(&started.key, &options)).await {
        Graced::Done(Ok(writer)) => Ok(Some(writer)),
        Graced::Done(Err(error)) if error.is_already_exists() && setup.skips() => Ok(None),
        Graced::Done(Err(error)) => Err(ExportError::sink("could not store archive", error)),
        Graced::DoneLate(opened, reason) => {
            if let Ok(writer) = opened
                && let Err(error) = writer.abort().await
            {
                let location = sink.location(&started.key);
                warn!(location, %error, "could not remove staged data of {location}: {error}");
            }
            Err(reason.error())
        }
        Graced::Dropped(reason) => Err(reason.error()),
    }
}

/// Returns the options to write the object with.
fn options(cx: &Context, started: &Started, length: Option<u64>) -> OpenOptions {
    OpenOptions::default()
        .with_mode(started.plan.mode(cx.setup.if_exists))
        .with_content_type("text/csv")
        .with_size_hint(length)
        .with_metadata(cx.metadata(&started.job))
}
