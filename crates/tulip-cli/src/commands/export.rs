//! `tulip export`

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use tulip_archive::poll::PollPolicy;
use tulip_archive::{Client, Exporter, ExporterBuilder, FinalLineBreak, IfExists, RaggedRecords};
use tulip_core::sink::SinkUrl;
use tulip_fleet::ledger::NewRun;
use tulip_fleet::{ItemReport, Plan, PlanError, RetryByOutcome, Run, RunSummary, preview};
use tulip_ledger::SqliteLedger;

use super::export_line::report;
use super::run_record::RunRecord;
use super::selection::{self, Selected};
use super::summary::Summary;
use super::{current_run, dry_run, fleet, manifest, runs, target};
use crate::args::{ExistsRule, ExportArgs, ExportSettings, ManifestRule};
use crate::failure::Failure;
use crate::output::plain;
use crate::output_file::OutputFile;
use crate::progress::Progress;
use crate::shutdown::Shutdown;
#[cfg(feature = "otlp")]
use crate::telemetry;
use crate::{connect, state, stdout, values};

pub(crate) async fn run(
    args: ExportArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let settings = &args.settings;
    let to = target::named(settings.to.as_deref(), "with --to")?;
    let url = target_of(to, &args)?;
    let client = connect::downloading_client(&settings.connection, &settings.downloads)?;
    if settings.timeout.is_zero() {
        progress.say("no timeout: waiting for each job without a limit");
    }
    let builder = builder(settings, &client, &url);
    let mut record = RunRecord::start(&settings.files, &client, &url, args.shard)?;
    let export = Export {
        args: &args,
        client,
        url,
        progress,
        shutdown,
    };
    if args.dry_run {
        return export.preview(builder, &record).await;
    }
    let result = export.run(builder, &mut record).await;
    let result = record.finish(result, progress, shutdown);
    #[cfg(feature = "otlp")]
    {
        let network = target::network(settings.connection.ca_file.clone());
        telemetry::send(record.run(), &network, progress, shutdown).await;
    }
    result
}

/// Builds an exporter from the options of the command line.
fn builder(settings: &ExportSettings, client: &Client, url: &SinkUrl) -> ExporterBuilder {
    let mut builder = Exporter::builder(client.clone())
        .to_url(url.clone())
        .checksum(settings.digest)
        .if_exists(match settings.if_exists {
            ExistsRule::Skip => IfExists::Skip,
            ExistsRule::Overwrite => IfExists::Overwrite,
            ExistsRule::Fail => IfExists::Fail,
        })
        .poll(PollPolicy::default().time_limit(values::no_limit_if_zero(settings.timeout)))
        .allow_empty(settings.allow_empty);
    if let Some(template) = &settings.name {
        builder = builder.name(template.clone());
    }
    if settings.allow_ragged {
        builder = builder.ragged_records(RaggedRecords::Allow);
    }
    if settings.allow_missing_final_newline {
        builder = builder.final_line_break(FinalLineBreak::Optional);
    }
    if let Some(bytes) = settings.max_bytes {
        builder = builder.max_bytes(bytes);
    }
    builder
}

/// The context of an export.
struct Export<'a> {
    args: &'a ExportArgs,
    client: Client,
    url: SinkUrl,
    progress: &'a Progress,
    shutdown: &'a Shutdown,
}

impl Export<'_> {
    fn is_to_stdout(&self) -> bool {
        self.url.scheme() == stdout::SCHEME
    }

    /// Prints what would be exported.
    async fn preview(&self, builder: ExporterBuilder, record: &RunRecord) -> Result<(), Failure> {
        let exporter = builder.build().await?;
        let ledger = match self.args.selection.retry_failed {
            Some(_) => state::existing(&self.args.settings.state)?,
            None => None,
        };
        let selected = self.select(ledger.as_ref(), record.run()).await?;
        if self.is_empty(&selected)? {
            return Ok(());
        }
        let previews = self.shutdown.guard(preview(&exporter, selected.sources));
        let previews = previews.await?.map_err(fleet::refused)?;
        dry_run::print(&previews, &selected.missing, self.progress, self.args.json)
    }

    /// Selects what to export.
    async fn select(
        &self,
        ledger: Option<&SqliteLedger>,
        run: &RunSummary,
    ) -> Result<Selected, Failure> {
        let selection = &self.args.selection;
        let Some(name) = &selection.retry_failed else {
            let selected = selection::select(selection, &self.client, self.shutdown).await?;
            return Ok(selected.in_shard(self.args.shard));
        };
        let Some(ledger) = ledger else {
            return Err(Failure::usage("no run is remembered"));
        };
        let is_here =
            |other: &RunSummary| (&other.instance, &other.target) == (&run.instance, &run.target);
        let earlier = runs::find::run(ledger, name, is_here).await?;
        if !is_here(&earlier) {
            let what = format!(
                "run {} exported {} to {}, not {} to {}",
                earlier.id, earlier.instance, earlier.target, run.instance, run.target
            );
            return Err(Failure::usage(what));
        }
        self.check_name(&earlier)?;
        selection::left_by(&earlier, &self.client, self.shutdown).await
    }

    /// Refuses to continue a run under other keys: what it has stored and what is retried would
    /// lie in different places.
    fn check_name(&self, earlier: &RunSummary) -> Result<(), Failure> {
        let of_run = current_run::name_of(&earlier.command);
        let given = self.args.settings.name.as_ref().map(ToString::to_string);
        if of_run == given {
            return Ok(());
        }
        let what = format!(
            "run {} names archives in another way than this command",
            earlier.id
        );
        Err(Failure::usage(what).with_hint(match of_run {
            Some(name) => format!("add --name '{}'", plain(&name)),
            None => "leave --name out".to_owned(),
        }))
    }

    async fn run(
        &self,
        mut builder: ExporterBuilder,
        record: &mut RunRecord,
    ) -> Result<(), Failure> {
        let Self {
            args,
            progress,
            shutdown,
            ..
        } = *self;
        let settings = &args.settings;
        // Another run cannot continue an archive on stdout.
        let ledger = match self.is_to_stdout() || settings.no_state {
            true => None,
            false => state::store(&settings.state, progress)?,
        };
        if let Some(ledger) = &ledger {
            let store = Arc::new(ledger.clone());
            builder = builder.state(store).resume_within(settings.resume_within);
        }
        let exporter = builder.build().await?;
        // If the target cannot be written, fail before Tulip is asked for anything.
        shutdown.finish(exporter.probe()).await??;
        let selected = self.select(ledger.as_ref(), record.run()).await?;
        if self.is_empty(&selected)? {
            record.ran(None);
            return Ok(());
        }
        let plan = shutdown
            .guard(Plan::new(&exporter, selected.sources))
            .await?;
        let mut plan = match plan {
            Ok(plan) => selected.missing.into_iter().fold(plan, Plan::with_ended),
            Err(error) => return Err(self.refused(error, record)?),
        };
        let mut open = None;
        if let Some(ledger) = ledger {
            let mut run = record.run().clone();
            run.items = plan.summaries();
            let name = settings.name.as_ref().map(ToString::to_string);
            let command = current_run::command(&selected.request, name, run.shard.as_deref());
            let continues = current_run::continues(selected.run, settings.resume_within);
            let new = NewRun::new(run, command).continuing(continues);
            open = current_run::begin(ledger, new, args.wait, progress, shutdown).await?;
        }
        if let Some(open) = &mut open {
            shutdown
                .guard(open.drop_gone(&exporter, &plan, progress))
                .await?;
            let since = current_run::since(settings.resume_within);
            plan = plan.continuing(&open.run.items, since);
            plan = plan.dated(open.run.started);
            let left = plan.items().len() + plan.ended().len();
            open.tell(&record.run().id, left, progress);
            record.continues(&open.run);
        }
        let mut run = self.configured(Run::new(plan));
        if let Some(open) = &open {
            run = run.log(open.log.clone());
        }
        let mut summary = Summary::start();
        let id = open.is_some().then(|| record.run().id.clone());
        let report = |ended: &ItemReport| {
            summary.record(ended);
            record.record(ended);
            report(progress, id.as_deref(), ended, args.json)
        };
        let ended = fleet::run(run, progress, shutdown, report).await;
        summary.print(progress);
        if self.is_to_stdout() && shutdown.is_asked() {
            self.tell_job(record.run());
        }
        record.ran(ended.stopped);
        let written = manifest::write(args.manifest, record.run(), &exporter, progress).await;
        if let Some(open) = &open {
            let run = record.run();
            open.end(run.end, run.reason.clone(), progress).await;
            if let Err(failure) = record.compare(open.ledger()).await {
                let what = format!("the report shows no earlier runs: {failure}");
                progress.warn(&what, None);
            }
        }
        record.read_back(exporter.sink(), progress, shutdown).await;
        ended.result.and(written)
    }

    /// Names the job of an interrupted archive, which no other run can find.
    fn tell_job(&self, run: &RunSummary) {
        if let Some(job) = run.items.first().and_then(|item| item.job.as_ref()) {
            let hint =
                format!("the job is {job}: `tulip export --job {job} --to -` starts no other");
            self.progress.hint(&hint);
        }
    }

    /// Returns whether there is nothing to export, and says so. Fails if the target is stdout and
    /// not exactly one archive is selected.
    fn is_empty(&self, selected: &Selected) -> Result<bool, Failure> {
        let archives = selected.sources.len() + selected.missing.len();
        if self.is_to_stdout() && archives != 1 {
            let what = format!("--to - takes one archive, and {archives} are selected");
            return Err(Failure::usage(what).with_hint("name one with --machine or --job"));
        }
        if !selected.is_empty() {
            return Ok(false);
        }
        if let Some(run) = &selected.run {
            let what = format!("every export of run {run} is stored: nothing to retry");
            self.progress.say(&what);
            return Ok(true);
        }
        let what = match self.args.shard {
            Some(shard) => format!("no machine is in shard {shard}: nothing to export"),
            None => "the instance has no machines: nothing to export".to_owned(),
        };
        self.progress.warn(&what, None);
        Ok(true)
    }

    /// Records the exports of a refused plan. As text, one error covers all of them.
    fn refused(&self, error: PlanError, record: &mut RunRecord) -> Result<Failure, Failure> {
        if let PlanError::Collisions(found) = &error {
            for ended in &found.reports() {
                record.record(ended);
                if self.args.json {
                    report(self.progress, None, ended, true)?;
                }
            }
        }
        Ok(fleet::refused(error))
    }

    /// Sets the limits of the command line on a run.
    fn configured(&self, run: Run) -> Run {
        let settings = &self.args.settings;
        // A second attempt could only append to what the first has written.
        let attempts = match self.is_to_stdout() {
            true => 1,
            false => settings.attempts.get(),
        };
        run.concurrency(settings.concurrency.get())
            .max_pending(settings.max_pending.get())
            .start_rate(NonZeroUsize::new(settings.start_rate))
            .time_limit(values::no_limit_if_zero(settings.run_timeout))
            .item_time_limit(values::no_limit_if_zero(settings.machine_timeout))
            .retry_policy(
                RetryByOutcome::default()
                    .attempts(attempts)
                    .cooldown(settings.retry_delay),
            )
    }
}

/// Parses the target, and refuses options that do not fit it: some need stdout, others exclude it.
fn target_of(to: &str, args: &ExportArgs) -> Result<SinkUrl, Failure> {
    let url = target::url(to, &args.settings.sink)?;
    match (url.scheme() == stdout::SCHEME, &args.receipt) {
        (true, _) if args.json => {
            let what = "--json and --to - would both write to stdout";
            Err(Failure::usage(what).with_hint("use --receipt FILE, which has the same data"))
        }
        (true, _) if matches!(args.manifest, ManifestRule::Always) => {
            let what = "--manifest cannot be used with --to -, which takes one archive";
            Err(Failure::usage(what))
        }
        (true, Some(file)) => {
            // A pipe or /dev/stderr needs no test, and has no place for a file beside it.
            let path = Path::new(file);
            if path
                .metadata()
                .map_or(true, |file| file.is_file() || file.is_dir())
            {
                OutputFile::prepare(path)?;
            }
            Ok(stdout::with_receipt(url, file))
        }
        (false, Some(_)) => {
            let what = "--receipt needs --to -; other targets keep the receipt beside the archive";
            Err(Failure::usage(what))
        }
        (_, None) => Ok(url),
    }
}
