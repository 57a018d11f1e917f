//! The line that reports the end of an export: text, or a JSON object.

use serde::Serialize;
use tulip_archive::{ExportErrorKind, Outcome};
use tulip_core::{JobId, MachineId, Receipt, Timestamp, format_byte_size};
use tulip_fleet::{ItemError, ItemReport, PhaseSpan};

use super::fleet::code_of_report;
use crate::failure::{Failure, chain, hint_of, named_once};
use crate::output::{self, plain};
use crate::progress::Progress;
use crate::stdout;

/// Reports how an export of a run has ended.
pub(crate) fn report(
    progress: &Progress,
    run: Option<&str>,
    ended: &ItemReport,
    json: bool,
) -> Result<(), Failure> {
    match json {
        true => progress.beside(|| output::json(&Line::of(run, ended))),
        false => say(progress, ended),
    }
}

fn say(progress: &Progress, ended: &ItemReport) -> Result<(), Failure> {
    let outcome = match &ended.result {
        Ok(outcome) => outcome,
        // The summary counts interrupted exports.
        Err(error) if error.kind() == ExportErrorKind::Interrupted => return Ok(()),
        Err(ItemError::NotStarted(why)) => {
            progress.warn(&format!("{}: {}", ended.source, why.reason), None);
            return Ok(());
        }
        Err(ItemError::Failed(error)) if stdout::reader_has_left(error) => return Ok(()),
        Err(ItemError::Failed(error)) => {
            let hint = hint_of(error, ended.source.known_machine());
            let hint = hint.or_else(|| fetch_hint(ended));
            let message = named_once(&ended.source.to_string(), chain(error));
            progress.error(&message, hint.as_deref());
            return Ok(());
        }
    };
    let location = plain(outcome.location());
    let line = match outcome {
        Outcome::Exported { receipt, .. } => format!(
            "exported {location} ({} records, {}, {})",
            receipt.records,
            format_byte_size(receipt.bytes),
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
    // If the target is stdout, only the archive goes there.
    if outcome
        .receipt()
        .is_some_and(|receipt| receipt.object.scheme == stdout::SCHEME)
    {
        progress.say(&line);
        return Ok(());
    }
    progress.beside(|| output::line(&line))
}

/// How to fetch the archive of a failed export that is not remembered.
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
    run: Option<&'a str>,
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
    attempts: u32,
    retries: u32,
    bytes: u64,
    records: u64,
    phases: Vec<Span>,
    started: Option<Timestamp>,
    ended: Timestamp,
    receipt: Option<&'a Receipt>,
    has_receipt: Option<bool>,
}

/// A phase of the export.
#[derive(Serialize)]
struct Span {
    phase: &'static str,
    started: Timestamp,
    seconds: f64,
}

impl Span {
    fn of(span: &PhaseSpan) -> Self {
        Self {
            phase: span.phase.as_str(),
            started: span.started,
            // To the millisecond, like timestamps.
            seconds: span.took.as_millis() as f64 / 1e3,
        }
    }
}

impl<'a> Line<'a> {
    fn of(run: Option<&'a str>, ended: &'a ItemReport) -> Self {
        let (done, error) = (ended.result.as_ref().ok(), ended.result.as_ref().err());
        let receipt = done.and_then(Outcome::receipt);
        let has_receipt = |done: &Outcome| match done {
            Outcome::Skipped { has_receipt, .. } => *has_receipt,
            other => other.receipt().is_some(),
        };
        let machine = ended.source.known_machine();
        Self {
            run,
            machine: machine.or(receipt.and_then(|receipt| receipt.machine.as_ref())),
            machine_name: ended.source.machine_name(),
            job: ended.job(),
            outcome: ended.outcome().as_str(),
            location: done.map(Outcome::location),
            error: error.map(|error| plain(&chain(error))),
            error_kind: error.map(|error| error.kind().as_str()),
            error_unique_id: error.and_then(ItemError::error_unique_id),
            retryable: error.is_some_and(ItemError::is_retryable),
            exit_code: code_of_report(ended).map_or(0, |code| code as u8),
            attempts: ended.attempts,
            retries: ended.measured.retries,
            bytes: ended.measured.bytes,
            records: ended.measured.records,
            phases: ended.measured.phases.iter().map(Span::of).collect(),
            started: ended.started,
            ended: ended.ended,
            receipt,
            has_receipt: done.map(has_receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use tulip_fleet::{ItemOutcome, Phase};

    #[test]
    fn every_phase_is_documented() {
        let manual = include_str!("../../../../docs/operations.md");
        for phase in Phase::all() {
            assert!(manual.contains(&format!("| `{phase}` |")), "{phase}");
        }
    }

    #[test]
    fn every_outcome_is_documented() {
        let manual = include_str!("../../../../docs/operations.md");
        for outcome in ItemOutcome::all() {
            assert!(manual.contains(&format!("| `{outcome}` |")), "{outcome}");
        }
    }
}
