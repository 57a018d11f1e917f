//! `tulip export --dry-run`

use serde::Serialize;
use tulip_core::{JobId, MachineId};
use tulip_fleet::{ItemReport, NotStarted, Preview, PreviewAction};

use super::fleet;
use crate::failure::{Code, Failure, code_of};
use crate::output::{self, plain};
use crate::progress::Progress;

/// Prints what a run would do.
pub(crate) fn print(
    previews: &[Preview],
    missing: &[ItemReport],
    progress: &Progress,
    json: bool,
) -> Result<(), Failure> {
    let missing = missing.iter().filter_map(Line::of_missing);
    let lines: Vec<_> = previews.iter().map(Line::of).chain(missing).collect();
    for line in &lines {
        match json {
            true => output::json(line)?,
            false => output::line(&line.text())?,
        }
    }
    let count = |action| lines.iter().filter(|line| line.action == action).count();
    let counts = [
        (count("start"), "to start"),
        (count("export"), "to export"),
        (count("keep"), "to keep"),
        (count("fail"), "that would fail"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    progress.say(&format!(
        "dry run: {}; nothing was changed",
        counts.join(", ")
    ));
    let codes: Vec<_> = lines.iter().map(|line| line.code).collect();
    fleet::overall_code(&codes).map_or(Ok(()), |code| Err(Failure::reported(code)))
}

/// One source, as `--dry-run --json` prints it; documented in docs/operations.md.
#[derive(Serialize)]
struct Line<'a> {
    machine: Option<&'a MachineId>,
    machine_name: Option<&'a str>,
    job: Option<&'a JobId>,
    action: &'static str,
    location: Option<&'a str>,
    error: Option<String>,
    error_kind: Option<&'static str>,
    #[serde(skip)]
    source: String,
    #[serde(skip)]
    code: Option<Code>,
}

impl<'a> Line<'a> {
    fn of(preview: &'a Preview) -> Self {
        let source = &preview.source;
        let line = Self {
            machine: source.known_machine(),
            machine_name: source.machine_name(),
            job: source.known_job(),
            action: "start",
            location: preview.location.as_deref(),
            error: None,
            error_kind: None,
            source: source.to_string(),
            code: None,
        };
        match &preview.action {
            PreviewAction::Export(_) => line.doing("export"),
            PreviewAction::Keep => line.doing("keep"),
            PreviewAction::Fail(why) => line.failing(why),
            _ => line,
        }
    }

    fn of_missing(report: &'a ItemReport) -> Option<Self> {
        let error = report.result.as_ref().err()?;
        let why = NotStarted::new(error.kind(), error.to_string());
        let line = Self {
            machine: report.source.known_machine(),
            machine_name: None,
            job: None,
            action: "fail",
            location: None,
            error: None,
            error_kind: None,
            source: report.source.to_string(),
            code: None,
        };
        Some(line.failing(&why))
    }

    fn doing(self, action: &'static str) -> Self {
        Self { action, ..self }
    }

    fn failing(self, why: &NotStarted) -> Self {
        Self {
            action: "fail",
            error: Some(plain(&why.reason)),
            error_kind: Some(why.kind.as_str()),
            code: Some(code_of(why.kind)),
            ..self
        }
    }

    fn text(&self) -> String {
        let source = plain(&self.source);
        let location = plain(self.location.unwrap_or_default());
        match (self.action, &self.error) {
            ("keep", _) => format!("would keep {location}: already exists"),
            ("export", _) => format!("would export {source} to {location}"),
            (_, Some(error)) => format!("would fail: {source}: {error}"),
            _ => format!("would start {source} and export it to {location}"),
        }
    }
}
