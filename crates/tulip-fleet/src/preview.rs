//! Previews of a run.

use futures_util::stream::{StreamExt as _, iter};
use tulip_archive::{ExportErrorKind, Exporter, IfExists, JobId, ObjectKey, Source};

use crate::plan::Keys;
use crate::{NotStarted, PlanError, deduplicate};

/// How many objects are looked up at once.
const LOOKUPS: usize = 16;

/// What a run would do with one source.
#[derive(Debug)]
#[non_exhaustive]
pub struct Preview {
    /// The source that would be exported.
    pub source: Source,
    /// The action that would be taken.
    pub action: PreviewAction,
    /// The key that the archive would have if it were exported now. It contains `JOB` for a job
    /// that is not started yet.
    pub key: Option<ObjectKey>,
    /// The location of the object: a path or URL without any secret.
    pub location: Option<String>,
}

/// What a run would do with a source.
#[derive(Debug)]
#[non_exhaustive]
pub enum PreviewAction {
    /// Start a job for the machine, and store its archive.
    Start,
    /// Store the archive of this job.
    Export(JobId),
    /// Keep the existing object.
    Keep,
    /// Fail, for this reason.
    Fail(NotStarted),
}

/// Returns what a run of these sources would do, each source once. Starts and writes nothing. The
/// target is not probed, so it goes unnoticed if the target is not writable or ignores case.
/// Objects are looked up if existing ones must not be overwritten and the exporter's sink supports
/// lookups.
///
/// Jobs that would be resumed from an interrupted run are not looked up: they show as starts.
///
/// # Errors
/// [`PlanError::Collisions`] if keys collide, or [`PlanError::Target`] if a lookup at the target
/// fails.
pub async fn preview(
    exporter: &Exporter,
    sources: impl IntoIterator<Item = Source>,
) -> Result<Vec<Preview>, PlanError> {
    let target = exporter.sink().capabilities();
    let Keys { keyed, unusable } = Keys::of(exporter, deduplicate(sources), target)?;
    let looks_up = target.lookup && exporter.if_exists() != IfExists::Overwrite;
    let looked_up = keyed.into_iter().map(|(source, key)| async move {
        let is_there = match &key {
            Some(key) if looks_up => exporter.lookup(key).await?.is_some(),
            _ => false,
        };
        Ok(planned(exporter, source, is_there))
    });
    let mut previews: Vec<Result<Preview, PlanError>> =
        iter(looked_up).buffered(LOOKUPS).collect().await;
    previews.extend(unusable.into_iter().map(|(source, error)| {
        Ok(Preview {
            source,
            action: PreviewAction::Fail(NotStarted::new(error.kind(), error.to_string())),
            key: None,
            location: None,
        })
    }));
    previews.into_iter().collect()
}

fn planned(exporter: &Exporter, source: Source, is_there: bool) -> Preview {
    let key = exporter.preview_key(&source).ok();
    let location = key.as_ref().map(|key| exporter.sink().location(key));
    let action = match (is_there, exporter.if_exists(), source.known_job()) {
        (true, IfExists::Skip, _) => PreviewAction::Keep,
        (true, IfExists::Fail, _) => PreviewAction::Fail(NotStarted::new(
            ExportErrorKind::AlreadyExists,
            format!("{} already exists", location.as_deref().unwrap_or("it")),
        )),
        (_, _, Some(job)) => PreviewAction::Export(job.clone()),
        (_, _, None) => PreviewAction::Start,
    };
    Preview {
        source,
        action,
        key,
        location,
    }
}
