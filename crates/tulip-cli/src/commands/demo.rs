//! `tulip demo`

use std::time::Duration;

use tulip_archive::poll::PollPolicy;
use tulip_archive::{ExportError, Exporter, Outcome, parse_target};
use tulip_core::format_byte_size;
use tulip_emulator::{Emulator, JobScript};
use tulip_fleet::{ItemReport, Plan, Run, sources_of};
use tulip_http::{Client, Settings};

use super::summary::Summary;
use super::{export_line, fleet};
use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// How many archives are exported at once.
const CONCURRENCY: usize = 4;

/// How many polls find each job pending, so that the demo shows some waiting.
const PENDING_POLLS: u32 = 3;

pub(crate) async fn run(
    args: DemoArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let emulator = Emulator::builder()
        .machines(args.machines.get())
        .rows(args.rows)
        .default_script(JobScript::new().pending_polls(PENDING_POLLS))
        .start()
        .await?;
    progress.say(&format!(
        "started a Tulip emulator on {}",
        emulator.base_url()
    ));
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let client = Client::builder(settings).build()?;
    let pace = Duration::from_millis(200);
    let target = parse_target(&args.to).map_err(ExportError::from)?;
    let exporter = Exporter::builder(client.clone())
        .to_url(target.clone())
        .poll(PollPolicy::default().intervals(pace, pace))
        .build()
        .await?;
    shutdown.finish(exporter.probe()).await??;
    let types = shutdown.guard(client.machines()).await??;
    let sources = sources_of(&types);
    progress.say(&format!(
        "exporting {} machines to {}",
        sources.len(),
        args.to
    ));
    let mut rows = Vec::new();
    let plan = shutdown.guard(Plan::new(&exporter, sources)).await?;
    let run = Run::new(plan.map_err(fleet::refused)?).concurrency(CONCURRENCY);
    let mut summary = Summary::start();
    let report = |ended: &ItemReport| {
        summary.record(ended);
        match &ended.result {
            Ok(outcome) => {
                rows.push(row(ended, outcome));
                Ok(())
            }
            Err(_) => export_line::report(progress, None, ended, false),
        }
    };
    let ended = fleet::run(run, progress, shutdown, report).await;
    summary.print(progress);
    ended.result?;
    rows.sort();
    output::table(["MACHINE", "RECORDS", "SIZE", "CHECKSUM", "ARCHIVE"], &rows)?;
    let program = std::env::args_os().next().unwrap_or_default();
    let program = program.to_string_lossy();
    progress.say(&format!(
        "\nThe archives are in {target}, each with its receipt beside it, _….csv.receipt.json.\n\
         Next, keep an emulator running and export from it yourself:\n  \
         {program} emulate\n\
         or export your own machines:\n  \
         TULIP_BASE_URL=https://acme.tulip.co TULIP_API_KEY=… TULIP_API_SECRET=… {program} export --all --to ./archives"
    ));
    Ok(())
}

fn row(ended: &ItemReport, outcome: &Outcome) -> [String; 5] {
    let source = &ended.source;
    let name = source
        .machine_name()
        .map_or_else(|| source.to_string(), output::plain);
    match outcome.receipt() {
        Some(receipt) => [
            name,
            receipt.records.to_string(),
            format_byte_size(receipt.bytes),
            receipt.checksum.to_string(),
            receipt.object.key.to_string(),
        ],
        None => [
            name,
            String::new(),
            String::new(),
            String::new(),
            outcome.location().to_owned(),
        ],
    }
}
