//! `tulip status`

use serde::Serialize;
use tulip_archive::ExportError;
use tulip_archive::poll::{PollError, PollPolicy, PollState, Poller};
use tulip_core::{JobId, JobStatus};
use tulip_http::Client;

use crate::args::StatusArgs;
use crate::failure::{Code, Failure};
use crate::shutdown::Shutdown;
use crate::{connect, output, values};

/// The object that `--json` prints. The download URL is a credential, so only its presence is
/// shown.
#[derive(Serialize)]
struct Report<'a> {
    job: &'a JobId,
    status: &'a JobStatus,
    complete: bool,
    failed: bool,
    downloadable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

pub(crate) async fn run(args: StatusArgs, shutdown: &Shutdown) -> Result<(), Failure> {
    let client = connect::client(&args.connection)?;
    if args.wait {
        if let Err(error) = shutdown.guard(wait(&client, &args)).await? {
            return failed(&args, error);
        }
        let report = Report {
            job: &args.job,
            status: &JobStatus::Complete,
            complete: true,
            failed: false,
            downloadable: true,
            details: None,
        };
        return print(&report, args.json);
    }
    let job = shutdown.guard(client.archive_status(&args.job)).await??;
    let report = Report {
        job: &job.id,
        status: &job.status,
        complete: job.status.is_complete(),
        failed: job.status.is_failed(),
        downloadable: job.resource.is_some(),
        details: job.details.as_deref(),
    };
    print(&report, args.json)?;
    match report.failed {
        true => Err(Failure::reported(Code::Job)),
        false => Ok(()),
    }
}

async fn wait(client: &Client, args: &StatusArgs) -> Result<(), PollError> {
    let policy = PollPolicy::default().time_limit(values::no_limit_if_zero(args.timeout));
    let mut poller = Poller::new(client, args.job.clone(), policy);
    while let Some(state) = poller.next().await {
        match state? {
            PollState::Complete(_) => break,
            PollState::InProgress { status, .. } => tracing::info!(job = %args.job, %status),
            _ => {}
        }
    }
    Ok(())
}

/// Prints a failed job to stdout, because that is a status like any other.
fn failed(args: &StatusArgs, error: PollError) -> Result<(), Failure> {
    let PollError::Failed {
        job,
        status,
        details,
    } = &error
    else {
        return Err(ExportError::from(error).into());
    };
    let report = Report {
        job,
        status: &JobStatus::from(status.clone()),
        complete: false,
        failed: true,
        downloadable: false,
        details: details.as_deref(),
    };
    print(&report, args.json)?;
    Err(Failure::reported(Code::Job))
}

fn print(report: &Report<'_>, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(report);
    }
    let status = output::plain(report.status.as_str());
    let details = report.details.map(output::plain);
    let details = details.map_or_else(String::new, |text| format!(": {text}"));
    let job = output::plain(report.job.as_str());
    output::line(&format!("job {job}: {status}{details}"))
}
