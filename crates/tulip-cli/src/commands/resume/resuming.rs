//! The exports that are resumed, and the runs that they belong to.

use std::collections::HashMap;
use std::sync::Arc;

use tulip_archive::poll::PollPolicy;
use tulip_archive::{ExportErrorKind, Exporter, IncompleteExport};
use tulip_core::sink::{SinkRegistry, SinkUrl};
use tulip_fleet::ledger::{Ledger, LeftRuns};
use tulip_fleet::{ItemReport, NotStarted, Plan, RunEnd};
use tulip_http::Client;
use tulip_ledger::SqliteLedger;

use crate::args::{ManifestRule, ResumeArgs};
use crate::commands::{manifest, target};
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::{output, state, values};

/// Claims the runs that these exports belong to.
async fn left_runs(
    ledger: Arc<dyn Ledger>,
    open: &[IncompleteExport],
) -> Result<LeftRuns, Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let target = |open: &IncompleteExport| {
        let url = open.target_url().ok().flatten()?;
        Some(target::shown(&registry, &url))
    };
    let exports = open.iter().filter_map(|open| Some((target(open)?, open)));
    let exports: Vec<_> = exports.collect();
    let claimed = LeftRuns::claim(ledger, &exports).await;
    claimed.map_err(|error| Failure::other(chain(&error)).with_hint(state::hint_of(&error)))
}

/// The parts that exports are resumed with, and their runs.
pub(super) struct Resuming {
    client: Client,
    store: Arc<SqliteLedger>,
    runs: LeftRuns,
    /// One per target.
    exporters: HashMap<String, Exporter>,
}

impl Resuming {
    pub(super) async fn start(
        client: Client,
        store: SqliteLedger,
        open: &[IncompleteExport],
    ) -> Result<Self, Failure> {
        let runs = left_runs(Arc::new(store.clone()), open).await?;
        Ok(Self {
            client,
            store: Arc::new(store),
            runs,
            exporters: HashMap::new(),
        })
    }

    /// Plans the exports that this client can resume. The others end as failures.
    pub(super) async fn plan(
        &mut self,
        args: &ResumeArgs,
        open: &[IncompleteExport],
    ) -> Result<Plan, Failure> {
        let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
        let mut plan = Plan::default();
        for open in open {
            // A record without a source was written by a newer version.
            let Some(source) = open.source() else {
                continue;
            };
            let remembered = match target_of(open, &self.client) {
                Ok(url) => url,
                Err(why) => {
                    plan = plan.with_ended(ItemReport::not_started(source, why));
                    continue;
                }
            };
            let target = target::shown(&registry, &remembered);
            let builder = Exporter::builder(self.client.clone())
                .to_url(target::with_options(remembered, &args.sink)?)
                .poll(PollPolicy::default().time_limit(values::no_limit_if_zero(args.timeout)))
                .state(self.store.clone());
            match builder.settings_of(open).build().await {
                Ok(exporter) => {
                    let log = self.runs.log_of(&target, open);
                    plan = plan.with_incomplete(&exporter, open, log);
                    self.exporters.insert(target, exporter);
                }
                Err(error) => plan = plan.with_ended(ItemReport::failed(source, error)),
            }
        }
        Ok(plan)
    }

    /// Ends the runs that the exports belong to, and writes their manifests.
    pub(super) async fn end(self, progress: &Progress) -> Result<(), Failure> {
        let runs = match self.runs.end().await {
            Ok(runs) => runs,
            Err(error) => {
                let message = format!("the end of a run was not recorded: {}", chain(&error));
                progress.warn(&message, Some(state::hint_of(&error)));
                return Ok(());
            }
        };
        let mut written = Ok(());
        for run in runs.iter().filter(|run| run.end != RunEnd::Open) {
            let (id, started) = (output::plain(&run.id), run.started);
            if run.is_success() {
                progress.say(&format!("run {id} of {started} is complete"));
            }
            if let Some(exporter) = self.exporters.get(&run.target) {
                let rule = ManifestRule::Auto;
                written = written.and(manifest::write(rule, run, exporter, progress).await);
            }
        }
        written
    }
}

/// The target of an export, or why this client cannot resume it.
fn target_of(open: &IncompleteExport, client: &Client) -> Result<SinkUrl, NotStarted> {
    let skipped = |kind, why: &str| NotStarted::new(kind, format!("skipped: {why}"));
    if open.instance() != client.instance().to_string() {
        let why = format!(
            "belongs to instance {} (set TULIP_BASE_URL)",
            open.instance()
        );
        return Err(skipped(ExportErrorKind::InvalidRequest, &why));
    }
    let workspace = client.workspace().map(ToString::to_string);
    if open.workspace() != workspace.as_deref() {
        let why = match open.workspace() {
            Some(workspace) => format!("belongs to workspace {workspace} (set TULIP_WORKSPACE_ID)"),
            None => "was started with a workspace token (unset TULIP_WORKSPACE_ID)".to_owned(),
        };
        return Err(skipped(ExportErrorKind::InvalidRequest, &why));
    }
    if open.running {
        let why = "another tulip process is already exporting this";
        return Err(skipped(ExportErrorKind::AlreadyRunning, why));
    }
    let url = open.target_url().ok().flatten();
    url.ok_or_else(|| {
        let why = "its target is not a URL; resume it with the program that started it";
        skipped(ExportErrorKind::InvalidRequest, why)
    })
}
