//! The sources that a command line selects.

use std::io::Read as _;
use std::path::Path;

use serde_json::json;
use tulip_archive::{ExportErrorKind, Source};
use tulip_core::{Machine, MachineId, UnusableMachine};
use tulip_fleet::{
    Glob, ItemReport, NotStarted, RunSummary, Selection, SelectionError, Shard, parse_machine_list,
};
use tulip_http::Client;

use crate::args::SelectionArgs;
use crate::failure::{Code, Failure};
use crate::shutdown::Shutdown;

/// The result of a selection.
pub(crate) struct Selected {
    pub(crate) sources: Vec<Source>,
    /// Machines that the instance does not have, or lists without a usable id. Each one is a failed
    /// export.
    pub(crate) missing: Vec<ItemReport>,
    /// The request in canonical form: equal requests have equal texts.
    pub(crate) request: String,
    /// The id of the earlier run that this one continues.
    pub(crate) run: Option<String>,
}

impl Selected {
    /// Keeps only what is in the shard.
    pub(crate) fn in_shard(mut self, shard: Option<Shard>) -> Self {
        if let Some(shard) = shard {
            self.sources.retain(|source| shard.holds(source));
            self.missing.retain(|report| shard.holds(&report.source));
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.missing.is_empty()
    }
}

/// Selects the exports that an earlier run has not stored, to continue that run.
pub(crate) async fn left_by(
    run: &RunSummary,
    client: &Client,
    shutdown: &Shutdown,
) -> Result<Selected, Failure> {
    let left = run.items.iter().filter(|item| !item.outcome.is_success());
    let (by_job, by_machine): (Vec<_>, Vec<_>) = left.partition(|item| item.is_by_job);
    let jobs = by_job.into_iter().filter_map(|item| item.job.clone());
    let mut selected = Selected {
        sources: jobs.map(Source::job).collect(),
        missing: Vec::new(),
        request: String::new(),
        run: Some(run.id.clone()),
    };
    if by_machine.is_empty() {
        return Ok(selected);
    }
    let listing = shutdown.guard(client.machines()).await??;
    let machines = by_machine
        .into_iter()
        .filter_map(|item| item.machine.as_ref());
    let selection = machines.fold(Selection::all(), |all, machine| {
        all.machine(machine.as_str())
    });
    let gone = match selection.select(&listing) {
        Ok(found) => {
            selected.sources.extend(found.sources);
            found.not_found
        }
        Err(SelectionError::NotFound { wanted }) => wanted,
        Err(error) => return Err(failure(error)),
    };
    let gone = gone.iter().map(|machine| missing(machine));
    selected.missing = gone.collect::<Result<_, _>>()?;
    Ok(selected)
}

/// Selects jobs, or machines from the instance's list.
pub(crate) async fn select(
    args: &SelectionArgs,
    client: &Client,
    shutdown: &Shutdown,
) -> Result<Selected, Failure> {
    if !args.job.is_empty() {
        return Ok(Selected {
            sources: args.job.iter().cloned().map(Source::job).collect(),
            missing: Vec::new(),
            request: json!({"jobs": sorted(&args.job)}).to_string(),
            run: None,
        });
    }
    let mut named = args.machine.clone();
    if let Some(file) = &args.machines_from {
        named.extend(machines_of(file)?);
    }
    let globs = |globs: &[Glob]| {
        let texts = globs.iter().map(|glob| glob.as_str().to_owned());
        sorted(&texts.collect::<Vec<_>>())
    };
    let request = json!({
        "machines": sorted(&named),
        "types": globs(&args.machine_type),
        "include": globs(&args.include),
        "exclude": globs(&args.exclude),
    });
    let selection = selection(named, args);
    let listing = shutdown.guard(client.machines()).await??;
    let selected = selection.select(&listing).map_err(failure)?;
    let missing = selected.not_found.iter().map(|name| missing(name));
    let unusable = selected.unusable.iter().enumerate();
    let unusable = unusable.filter_map(|(number, machine)| unusable_report(number, machine));
    Ok(Selected {
        missing: missing.chain(unusable.map(Ok)).collect::<Result<_, _>>()?,
        sources: selected.sources,
        request: request.to_string(),
        run: None,
    })
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort();
    values.dedup();
    values
}

fn selection(named: Vec<String>, args: &SelectionArgs) -> Selection {
    let selection = named.into_iter().fold(Selection::all(), Selection::machine);
    let types = args.machine_type.iter().cloned();
    let selection = types.fold(selection, Selection::machine_type);
    let selection = args
        .include
        .iter()
        .cloned()
        .fold(selection, Selection::include);
    args.exclude
        .iter()
        .cloned()
        .fold(selection, Selection::exclude)
}

/// The machines that a file names.
fn machines_of(file: &Path) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("--machines-from {}: {why}", file.display()))
    };
    read.map_err(|error| failed(&error))?;
    // Without this an empty file would select every machine.
    match parse_machine_list(&text) {
        names if names.is_empty() => Err(failed(&"it names no machine")),
        names => Ok(names),
    }
}

/// The maximum length of a name that is used as an id, in characters.
const MAX_SHOWN: usize = 100;

/// The report of a machine that the instance does not have. The text may have been meant as an id
/// or a name, so it is used as both. Only this export fails: one renamed machine must not end the
/// run of the others.
fn missing(text: &str) -> Result<ItemReport, Failure> {
    let text = text.trim();
    let reason = format!("not started: no machine has the id or name {text:?}");
    let why = NotStarted::new(ExportErrorKind::NotFound, reason);
    match source_named(text) {
        Some(source) => Ok(ItemReport::not_started(source, why)),
        // Empty, `.` or `..`: a mistake on the command line.
        None => Err(Failure::new(Code::Job, why.to_string())),
    }
}

/// The report of a listed machine without a usable id. Its name, or else `unknown-N`, is used as
/// its id.
fn unusable_report(number: usize, machine: &UnusableMachine) -> Option<ItemReport> {
    let reason = format!("not started: its entry cannot be used: {}", machine.reason);
    let why = NotStarted::new(ExportErrorKind::Api, reason);
    let unknown = format!("unknown-{}", number + 1);
    let source = source_named(&machine.name).or_else(|| source_named(&unknown))?;
    Some(ItemReport::not_started(source, why))
}

/// A machine of which only an id or a name is known. `None` if the text cannot be made into an id.
fn source_named(text: &str) -> Option<Source> {
    let in_id = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    let id: String = text.chars().map(in_id).take(MAX_SHOWN).collect();
    let id = MachineId::new(id).ok()?;
    Some(match id.as_str() == text {
        true => Source::machine(id),
        false => Source::machine(id.clone()).of_machine(&Machine::new(id, text)),
    })
}

fn failure(error: SelectionError) -> Failure {
    let (code, hint) = match &error {
        SelectionError::Ambiguous { .. } => (Code::Usage, "name the machine by its id"),
        _ => (Code::Job, "`tulip machines` lists the ids, names and types"),
    };
    Failure::new(code, error.to_string()).with_hint(hint)
}
