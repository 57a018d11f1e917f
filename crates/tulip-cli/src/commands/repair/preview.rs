//! `tulip verify --repair --dry-run`

use futures_util::{StreamExt as _, stream};
use tulip_archive::{Repair, Verification};
use tulip_http::Client;

use super::not_repaired::NotRepaired;
use crate::args::VerifyArgs;
use crate::commands::verification_line::VerificationLine;
use crate::failure::{Code, Failure, chain};
use crate::output::{self, plain};
use crate::progress::Progress;

/// Prints how these archives would be repaired.
pub(super) async fn preview(
    client: &Client,
    bad: &[Verification],
    args: &VerifyArgs,
    progress: &Progress,
) -> Result<(), Failure> {
    let looked = bad
        .iter()
        .map(|found| async move { (found, plan(client, found).await) });
    let mut looked = stream::iter(looked).buffered(args.concurrency.get());
    let (mut some, mut others) = (0, 0);
    while let Some((found, plan)) = looked.next().await {
        let location = plain(&found.location);
        let (status, words) = match &plan {
            Ok(how) => ("would_repair", format!("would repair {location}: {how}")),
            Err(why) => {
                let why = plain(&why.what);
                (
                    "not_repaired",
                    format!("would not repair {location}: {why}"),
                )
            }
        };
        *if plan.is_ok() { &mut some } else { &mut others } += 1;
        match args.json {
            true => output::json(&VerificationLine {
                detail: Some(plan.unwrap_or_else(|why| plain(&why.what))),
                ..VerificationLine::new(&location, status)
            })?,
            false => output::line(&words)?,
        }
    }
    progress.say(&format!(
        "dry run: {some} to repair, {others} that cannot be repaired; nothing was changed"
    ));
    Ok(())
}

/// How an archive would be repaired.
async fn plan(client: &Client, found: &Verification) -> Result<String, NotRepaired> {
    let repair = Repair::of(found).ok_or_else(NotRepaired::unknown)?;
    let job = &found.receipt.as_ref().ok_or_else(NotRepaired::unknown)?.job;
    let gone = match client.archive_status(job).await {
        Ok(status) if !status.status.is_failed() => {
            return Ok(format!("export job {job} again"));
        }
        Ok(_) => format!("job {job} has failed"),
        Err(error) if error.is_not_found() => format!("job {job} not found"),
        Err(error) => return Err(NotRepaired::new(Code::Other, chain(&error))),
    };
    match repair.new_archive() {
        Some(machine) => Ok(format!("{gone}, start a new archive of {machine}")),
        None => {
            let what = format!("{gone}, and its receipt names no machine");
            Err(NotRepaired::new(Code::Job, what))
        }
    }
}
