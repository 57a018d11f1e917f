//! How the end of an export is told: a line of text, or a JSON object.

use serde::Serialize;
use tulip_archive::{ExportErrorKind, Outcome};
use tulip_core::{JobId, MachineId, Receipt};
use tulip_fleet::{ItemError, ItemReport};

use super::fleet::code_of_report;
use crate::failure::{Failure, chain, hint_of};
use crate::output::{self, plain};
use crate::progress::Progress;

/// Tells how an export has ended.
pub(crate) fn report(progress: &Progress, ended: &ItemReport, json: bool) -> Result<(), Failure> {
    match json {
        true => progress.beside(|| output::json(&Line::of(ended))),
        false => say(progress, ended),
    }
}

fn say(progress: &Progress, ended: &ItemReport) -> Result<(), Failure> {
    let outcome = match &ended.result {
        Ok(outcome) => outcome,
        // The summary counts what was interrupted.
        Err(error) if error.kind() == ExportErrorKind::Interrupted => return Ok(()),
        Err(ItemError::NotStarted(why)) => {
            progress.warn(&format!("{}: {}", ended.source, why.reason));
            return Ok(());
        }
        Err(ItemError::Failed(error)) => {
            let hint = hint_of(error, ended.source.known_machine());
            let hint = hint.or_else(|| fetch_hint(ended));
            progress.error(&chain(error), hint.as_deref());
            return Ok(());
        }
    };
    let location = plain(outcome.location());
    let line = match outcome {
        Outcome::Exported { receipt, .. } => format!(
            "exported {location} ({} records, {}, {})",
            receipt.records,
            output::size(receipt.bytes),
            receipt.checksum,
        ),
        Outcome::Unchanged { .. } => {
            format!("unchanged {location}: the archive of this job is already stored")
        }
        Outcome::Skipped {
            has_receipt: false, ..
        } => format!(
            "skipped {location}: already exists, without a receipt: it may be incomplete \
             (--if-exists overwrite replaces it)"
        ),
        _ => format!("skipped {location}: already exists"),
    };
    if progress.is_quiet() {
        return Ok(());
    }
    progress.beside(|| output::line(&line))
}

/// How to get at the archive of a failed export that nothing remembers.
fn fetch_hint(ended: &ItemReport) -> Option<String> {
    let job = ended.job_to_fetch().filter(|_| !ended.remembered)?;
    Some(format!(
        "to fetch this archive without starting another, export it with --job {job}"
    ))
}

/// One export, as `--json` prints it. Every line has every field; they are documented in
/// docs/operations.md.
#[derive(Serialize)]
struct Line<'a> {
    machine: Option<&'a MachineId>,
    machine_name: Option<&'a str>,
    job: Option<&'a JobId>,
    outcome: &'static str,
    location: Option<&'a str>,
    error: Option<String>,
    error_kind: Option<&'static str>,
    error_unique_id: Option<&'a str>,
    retryable: bool,
    exit_code: u8,
    receipt: Option<&'a Receipt>,
    has_receipt: Option<bool>,
}

impl<'a> Line<'a> {
    fn of(ended: &'a ItemReport) -> Self {
        let source = &ended.source;
        let line = Self {
            machine: source.known_machine(),
            machine_name: source.machine_name(),
            job: source.known_job(),
            outcome: "exported",
            location: None,
            error: None,
            error_kind: None,
            error_unique_id: None,
            retryable: false,
            exit_code: code_of_report(ended).map_or(0, |code| code as u8),
            receipt: None,
            has_receipt: None,
        };
        match &ended.result {
            Ok(outcome) => line.done(outcome),
            Err(error) => line.failed(error),
        }
    }

    fn done(self, outcome: &'a Outcome) -> Self {
        let receipt = outcome.receipt();
        let (name, has_receipt) = match outcome {
            Outcome::Exported { .. } => ("exported", true),
            Outcome::Unchanged { .. } => ("unchanged", true),
            Outcome::Skipped { has_receipt, .. } => ("skipped", *has_receipt),
            _ => ("other", receipt.is_some()),
        };
        Self {
            machine: self
                .machine
                .or(receipt.and_then(|receipt| receipt.machine.as_ref())),
            job: receipt.map(|receipt| &receipt.job).or(self.job),
            outcome: name,
            location: Some(outcome.location()),
            receipt,
            has_receipt: Some(has_receipt),
            ..self
        }
    }

    fn failed(self, error: &'a ItemError) -> Self {
        let kind = error.kind();
        let line = Self {
            error_kind: Some(kind.as_str()),
            ..self
        };
        match error {
            ItemError::NotStarted(why) => Self {
                outcome: "not_started",
                error: Some(plain(&why.reason)),
                retryable: kind.can_be_retryable(),
                ..line
            },
            ItemError::Failed(error) => {
                let http = error.http_error();
                Self {
                    outcome: "failed",
                    job: error.job().or(line.job),
                    error: Some(plain(&chain(error))),
                    error_unique_id: http.and_then(|error| error.error_unique_id()),
                    retryable: error.is_retryable(),
                    ..line
                }
            }
        }
    }
}
