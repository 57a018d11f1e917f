//! `tulip export`

use std::num::NonZeroUsize;

use tulip_archive::poll::PollPolicy;
use tulip_archive::{Client, Exporter, ExporterBuilder, FinalLineBreak, IfExists, RaggedRecords};
use tulip_core::sink::SinkUrl;
use tulip_fleet::{ItemReport, Plan, PlanError, RetryByOutcome, Run, preview};

use super::record::RunRecord;
use super::report::report;
use super::summary::Summary;
use super::{dry_run, fleet, manifest, selection, target};
use crate::args::{ExistsRule, ExportArgs, ManifestRule};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::shutdown::Shutdown;
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
        progress.say("no deadline: waiting for each job as long as it takes");
    }
    let mut builder = Exporter::builder(client.clone())
        .to_url(url.clone())
        .checksum(settings.digest)
        .if_exists(match settings.if_exists {
            ExistsRule::Skip => IfExists::Skip,
            ExistsRule::Overwrite => IfExists::Overwrite,
            ExistsRule::Fail => IfExists::Fail,
        })
        .poll(PollPolicy::default().deadline(values::no_limit_if_zero(settings.timeout)));
    if let Some(template) = &settings.name {
        builder = builder.name(template.clone());
    }
    builder = builder.allow_empty(settings.allow_empty);
    if settings.allow_ragged {
        builder = builder.ragged_records(RaggedRecords::Allow);
    }
    if settings.allow_missing_final_newline {
        builder = builder.final_line_break(FinalLineBreak::Optional);
    }
    if let Some(bytes) = settings.max_bytes {
        builder = builder.max_bytes(bytes);
    }
    if args.dry_run {
        let exporter = builder.build().await?;
        let selected = selection::select(&args.selection, &client, shutdown).await?;
        let selected = selected.in_shard(args.shard);
        let previews = shutdown.guard(preview(&exporter, selected.sources)).await?;
        let previews = previews.map_err(fleet::refused)?;
        return dry_run::print(&previews, &selected.missing, progress, args.json);
    }
    let mut record = RunRecord::start(&settings.files, &client, &url, args.shard)?;
    let result = export(
        &args,
        &client,
        &url,
        builder,
        &mut record,
        progress,
        shutdown,
    )
    .await;
    record.finish(result, progress, shutdown)
}

async fn export(
    args: &ExportArgs,
    client: &Client,
    url: &SinkUrl,
    mut builder: ExporterBuilder,
    record: &mut RunRecord,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let settings = &args.settings;
    let is_stdout = url.scheme() == stdout::SCHEME;
    // What is on stdout cannot be continued by another run.
    if !is_stdout
        && !settings.no_state
        && let Some(store) = state::store(&settings.state, progress)?
    {
        builder = builder.state(store).resume_within(settings.resume_within);
    }
    let exporter = builder.build().await?;
    // A target that cannot be written ends everything before Tulip is asked for anything.
    shutdown.finish(exporter.probe()).await??;
    let selected = selection::select(&args.selection, client, shutdown).await?;
    let selected = selected.in_shard(args.shard);
    let archives = selected.sources.len() + selected.missing.len();
    if is_stdout && archives != 1 {
        let what = format!("--to - takes one archive, and {archives} are selected");
        return Err(Failure::usage(what).with_hint("name one with --machine or --job"));
    }
    if selected.is_empty() {
        let what = match args.shard {
            Some(shard) => format!("no machine is in shard {shard}: nothing to export"),
            None => "the instance has no machines: nothing to export".to_owned(),
        };
        progress.warn(&what, None);
        record.ran(None);
        return Ok(());
    }
    let report = |ended: &ItemReport| report(progress, ended, args.json);
    let plan = match shutdown
        .guard(Plan::new(&exporter, selected.sources))
        .await?
    {
        Ok(plan) => selected.missing.into_iter().fold(plan, Plan::with_ended),
        Err(error) => {
            // In text one error covers all of them.
            if let PlanError::Collisions(found) = &error {
                found
                    .reports()
                    .iter()
                    .for_each(|ended| record.record(ended));
                if args.json {
                    found.reports().iter().try_for_each(report)?;
                }
            }
            return Err(fleet::refused(error));
        }
    };
    // A second attempt could only write behind what the first has written.
    let attempts = if is_stdout {
        1
    } else {
        settings.attempts.get()
    };
    let run = Run::new(plan)
        .concurrency(settings.concurrency.get())
        .max_pending(settings.max_pending.get())
        .start_rate(NonZeroUsize::new(settings.start_rate))
        .time_limit(values::no_limit_if_zero(settings.run_timeout))
        .item_time_limit(values::no_limit_if_zero(settings.machine_timeout))
        .retry_policy(
            RetryByOutcome::default()
                .attempts(attempts)
                .cooldown(settings.retry_delay),
        );
    let mut summary = Summary::start();
    let report = |ended: &ItemReport| {
        summary.record(ended);
        record.record(ended);
        report(ended)
    };
    let ended = fleet::run(run, progress, shutdown, report).await;
    summary.print(progress);
    record.ran(ended.stopped);
    let written = manifest::write(args.manifest, record.run(), &exporter, progress).await;
    record.read_back(exporter.sink(), progress, shutdown).await;
    ended.result.and(written)
}

/// The target, and what only standard output takes, or does not.
fn target_of(to: &str, args: &ExportArgs) -> Result<SinkUrl, Failure> {
    let url = target::url(to, &args.settings.sink)?;
    match (url.scheme() == stdout::SCHEME, &args.receipt) {
        (true, _) if args.json => {
            let what = "--json and --to - would both write to stdout";
            Err(Failure::usage(what).with_hint("--receipt FILE has what --json tells"))
        }
        (true, _) if matches!(args.manifest, ManifestRule::Always) => {
            let what = "--to - has no place for a manifest: it takes one archive";
            Err(Failure::usage(what))
        }
        (true, Some(file)) => Ok(stdout::with_receipt(url, file)),
        (false, Some(_)) => {
            let what = "--receipt goes with --to -; other targets keep receipts themselves";
            Err(Failure::usage(what))
        }
        (_, None) => Ok(url),
    }
}
