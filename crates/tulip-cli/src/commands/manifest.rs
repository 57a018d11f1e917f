//! The manifest of a run at its target.

use std::time::Duration;

use tulip_archive::Exporter;
use tulip_core::Tool;
use tulip_fleet::{Manifest, RunSummary};

use crate::args::ManifestRule;
use crate::failure::{Code, Failure, chain};
use crate::progress::Progress;

/// How long writing the manifest may take: an interrupted run should end soon.
const LIMIT: Duration = Duration::from_secs(60);

/// Writes the manifest of a run that has ended, if `rule` asks for one. Loaders wait for it, so the
/// run fails without it.
pub(crate) async fn write(
    rule: ManifestRule,
    run: &RunSummary,
    exporter: &Exporter,
    progress: &Progress,
) -> Result<(), Failure> {
    let is_wanted = match rule {
        ManifestRule::Auto => run.items.len() > 1,
        ManifestRule::Always => true,
        ManifestRule::Never => false,
    };
    if !is_wanted {
        return Ok(());
    }
    let tool = Tool::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let manifest = Manifest::of(run, tool);
    let written = tokio::time::timeout(LIMIT, manifest.write(exporter.sink().as_ref())).await;
    let why = match written {
        Ok(Ok(key)) => {
            tracing::info!(%key, whole = manifest.whole, "wrote the manifest");
            return Ok(());
        }
        Ok(Err(error)) => chain(&error),
        Err(_) => "the store took too long".to_owned(),
    };
    progress.error(
        &format!(
            "could not write the manifest of run {}: {why}",
            manifest.run
        ),
        Some("the archives and receipts of the run are stored; --manifest never writes none"),
    );
    Err(Failure::reported(Code::Sink))
}
