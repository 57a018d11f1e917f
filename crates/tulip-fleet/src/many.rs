//! `export_many`: a run with everything at its default.

use tulip_archive::{Exporter, Source};

use crate::{Plan, PlanError, Run};

/// Exports each source once, with at most `concurrency` downloads at the same time (0 counts as 1),
/// and yields a report for each export as it ends.
///
/// This is [`Plan::new`] and [`Run::new`] with everything else at its default.
///
/// # Errors
/// [`PlanError`], before anything is started, if the target cannot be used or keys collide.
pub async fn export_many(
    exporter: &Exporter,
    sources: impl IntoIterator<Item = Source>,
    concurrency: usize,
) -> Result<Run, PlanError> {
    let plan = Plan::new(exporter, sources).await?;
    Ok(Run::new(plan).concurrency(concurrency))
}
