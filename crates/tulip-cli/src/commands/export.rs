//! `tulip export`

use serde::Serialize;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{
    ExportError, ExportErrorKind, Exporter, Field, FinalLineBreak, IfExists, KeyTemplate, Outcome,
    Source,
};
use tulip_core::{JobId, MachineId, MachineType, Receipt};
use tulip_http::Client;

use super::fleet::{self, Finished};
use crate::args::{ExistsRule, ExportArgs};
use crate::failure::{Failure, chain, code_of};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, output};

pub(crate) async fn run(
    args: ExportArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let client = connect::client(&args.connection)?;
    if args.timeout.is_zero() {
        progress.say("no deadline: waiting for each job as long as it takes");
    }
    let mut builder = Exporter::builder(client.clone())
        .to(&args.to)
        .checksum(args.digest)
        .if_exists(match args.if_exists {
            ExistsRule::Skip => IfExists::Skip,
            ExistsRule::Overwrite => IfExists::Overwrite,
            ExistsRule::Fail => IfExists::Fail,
        })
        .poll(PollPolicy::default().deadline(args.timeout));
    for (name, value) in args.sink.all().map_err(Failure::usage)? {
        builder = builder.sink_option(name, value);
    }
    if let Some(template) = &args.name {
        builder = builder.name(template.clone());
    }
    if args.allow_unended {
        builder = builder.final_line_break(FinalLineBreak::Optional);
    }
    if let Some(bytes) = args.max_bytes {
        builder = builder.max_bytes(bytes);
    }
    let exporter = builder.build().await?;
    // A target that cannot be written ends everything before Tulip is asked for anything.
    shutdown.finish(exporter.probe()).await??;
    let sources = fleet::each_once(shutdown.guard(sources(&args, &client)).await??);
    fleet::refuse_shared_names(args.name.as_ref(), &sources)?;
    if sources.is_empty() {
        progress.say("the instance has no machines");
        return Ok(());
    }
    let json = args.json;
    let report = |finished: &Finished| match json {
        true => output::json(&Report::of(finished)),
        false => say(progress, finished),
    };
    fleet::export(
        exporter,
        sources,
        args.concurrency,
        progress,
        shutdown,
        report,
    )
    .await
}

async fn sources(args: &ExportArgs, client: &Client) -> Result<Vec<Source>, Failure> {
    if !args.job.is_empty() {
        return Ok(args.job.iter().cloned().map(Source::job).collect());
    }
    if args.all {
        return Ok(fleet::sources_of(&client.machines().await?));
    }
    let named = |template: &KeyTemplate| {
        template.uses(Field::MachineName) || template.uses(Field::MachineType)
    };
    let types = match args.name.as_ref().is_some_and(named) {
        true => client.machines().await?,
        false => Vec::new(),
    };
    let source = |id: &MachineId| machine_source(id, &types);
    Ok(args.machine.iter().map(source).collect())
}

fn machine_source(id: &MachineId, types: &[MachineType]) -> Source {
    let listed = fleet::sources_of(types);
    let found = listed
        .into_iter()
        .find(|source| source.known_machine() == Some(id));
    found.unwrap_or_else(|| Source::machine(id.clone()))
}

fn say(progress: &Progress, finished: &Finished) -> Result<(), Failure> {
    match &finished.result {
        Ok(Outcome::Exported { receipt, location }) => progress.beside(|| {
            output::line(&format!(
                "exported {location} ({} records, {}, {})",
                receipt.records,
                output::size(receipt.bytes),
                receipt.checksum,
            ))
        }),
        Ok(outcome) => {
            let location = outcome.location();
            let note = match outcome {
                Outcome::Skipped {
                    has_receipt: false, ..
                } => {
                    "; it has no receipt, so it may not be whole: --if-exists overwrite replaces it"
                }
                _ => "",
            };
            progress
                .beside(|| output::line(&format!("skipped {location}: it exists already{note}")))
        }
        // Interrupting is no news to whoever did it, but which job goes on at Tulip is.
        Err(error) if error.kind() == ExportErrorKind::Cancelled => {
            let again = again(finished, error);
            if !again.is_empty() {
                progress.say(&format!("{} was interrupted{again}", finished.source));
            }
            Ok(())
        }
        Err(error) => {
            progress.error(&format!("{}{}", chain(error), again(finished, error)));
            Ok(())
        }
    }
}

/// How to get at the archive that a failed export of a machine has started.
fn again(finished: &Finished, error: &ExportError) -> String {
    let archive_is_there = matches!(
        error.kind(),
        ExportErrorKind::Download
            | ExportErrorKind::Sink
            | ExportErrorKind::Api
            | ExportErrorKind::TooLarge
    ) || error.is_retryable();
    match (error.job(), finished.source.known_job()) {
        (Some(job), None) if archive_is_there => {
            format!("; to fetch this archive instead of starting another: --job {job}")
        }
        _ => String::new(),
    }
}

/// One export, as `--json` prints it.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Report<'a> {
    Exported {
        location: &'a str,
        receipt: &'a Receipt,
    },
    Skipped {
        location: &'a str,
        has_receipt: bool,
    },
    Failed {
        source: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        job: Option<&'a JobId>,
        error: String,
        retryable: bool,
        exit_code: u8,
    },
}

impl<'a> Report<'a> {
    fn of(finished: &'a Finished) -> Self {
        match &finished.result {
            Ok(Outcome::Exported { receipt, location }) => Self::Exported { location, receipt },
            Ok(outcome) => Self::Skipped {
                location: outcome.location(),
                has_receipt: matches!(
                    outcome,
                    Outcome::Skipped {
                        has_receipt: true,
                        ..
                    }
                ),
            },
            Err(error) => Self::failed(&finished.source, error),
        }
    }

    fn failed(source: &Source, error: &'a ExportError) -> Self {
        Self::Failed {
            source: source.to_string(),
            job: error.job(),
            error: chain(error),
            retryable: error.is_retryable(),
            exit_code: code_of(error.kind()) as u8,
        }
    }
}
