//! What is said of exports that have ended.

use serde::Serialize;
use tulip_archive::{ExportError, ExportErrorKind, Outcome, Source};
use tulip_core::{JobId, Receipt};

use super::fleet::Finished;
use crate::failure::{Failure, chain, code_of};
use crate::output;
use crate::progress::Progress;

/// Says how an export has ended, for people or for machines.
pub(crate) fn report(progress: &Progress, finished: &Finished, json: bool) -> Result<(), Failure> {
    match json {
        true => output::json(&Report::of(finished)),
        false => say(progress, finished),
    }
}

fn say(progress: &Progress, finished: &Finished) -> Result<(), Failure> {
    match &finished.result {
        Ok(Outcome::Exported {
            receipt, location, ..
        }) => progress.beside(|| {
            output::line(&format!(
                "exported {location} ({} records, {}, {})",
                receipt.records,
                output::size(receipt.bytes),
                receipt.checksum,
            ))
        }),
        Ok(Outcome::Unchanged { location, .. }) => progress.beside(|| {
            output::line(&format!(
                "unchanged {location}: this job's archive is stored already"
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
        Err(error) if error.kind() == ExportErrorKind::Interrupted => {
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
    // An archive that is not whole is not gone on with: the next one may be.
    let remembered = finished.remembered && error.kind() != ExportErrorKind::Incomplete;
    let archive_is_there = matches!(
        error.kind(),
        ExportErrorKind::Download
            | ExportErrorKind::Store
            | ExportErrorKind::StoreFull
            | ExportErrorKind::StoreUnavailable
            | ExportErrorKind::StorePermissionDenied
            | ExportErrorKind::Api
            | ExportErrorKind::TooLarge
    ) || error.is_retryable();
    match (error.job(), finished.source.known_job()) {
        (Some(job), None) if archive_is_there && remembered => {
            format!("; the same command again goes on with its job {job}, and so does tulip resume")
        }
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
    Unchanged {
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
            Ok(Outcome::Exported {
                receipt, location, ..
            }) => Self::Exported { location, receipt },
            Ok(Outcome::Unchanged { receipt, location }) => Self::Unchanged { location, receipt },
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
