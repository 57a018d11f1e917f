//! What a run would do, without doing any of it.

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
    /// What would be exported.
    pub source: Source,
    /// What would be done.
    pub action: PreviewAction,
    /// The key that the archive would have if it were exported now. A job that is not started yet
    /// stands in it as `JOB`.
    pub key: Option<ObjectKey>,
    /// Where the object would lie: a path or URL without any secret.
    pub location: Option<String>,
}

/// What a run would do.
#[derive(Debug)]
#[non_exhaustive]
pub enum PreviewAction {
    /// Start a job for the machine, and store its archive.
    Start,
    /// Store the archive of this job.
    Export(JobId),
    /// Leave the object that is there as it is.
    Keep,
    /// Fail, for this reason.
    Fail(NotStarted),
}

/// What a run of these sources would do, every source once. Nothing is started and nothing written:
/// the target is not probed, so a target that cannot be written is not noticed, nor that it does
/// not tell upper from lower case. Objects are looked up where existing ones are to be kept and the
/// exporter's sink can look them up.
///
/// A job of an interrupted run that would be resumed is not looked for: it shows as a start.
///
/// # Errors
/// [`PlanError::Collisions`] where keys collide, or [`PlanError::Target`] where the first look at
/// the target fails.
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
