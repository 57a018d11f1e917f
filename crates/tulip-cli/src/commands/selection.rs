//! The sources that a command line selects.

use std::io::Read as _;
use std::path::Path;

use tulip_archive::{ExportErrorKind, Source};
use tulip_core::{Machine, MachineId};
use tulip_fleet::{ItemReport, NotStarted, Selection, SelectionError, Shard, parse_machine_list};
use tulip_http::Client;

use crate::args::SelectionArgs;
use crate::failure::{Code, Failure};
use crate::shutdown::Shutdown;

/// What a command line selects.
pub(crate) struct Selected {
    pub(crate) sources: Vec<Source>,
    /// Machines that the instance does not have: each is a failure of its own.
    pub(crate) missing: Vec<ItemReport>,
}

impl Selected {
    /// Those that are in a shard.
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

/// Asks the instance for its machines, unless jobs are exported, and selects.
pub(crate) async fn select(
    args: &SelectionArgs,
    client: &Client,
    shutdown: &Shutdown,
) -> Result<Selected, Failure> {
    if !args.job.is_empty() {
        return Ok(Selected {
            sources: args.job.iter().cloned().map(Source::job).collect(),
            missing: Vec::new(),
        });
    }
    let selection = selection(args)?;
    let listing = shutdown.guard(client.machines()).await??;
    let selected = selection.select(&listing).map_err(failure)?;
    let missing = selected.not_found.iter().map(|name| missing(name));
    Ok(Selected {
        missing: missing.collect::<Result<_, _>>()?,
        sources: selected.sources,
    })
}

fn selection(args: &SelectionArgs) -> Result<Selection, Failure> {
    let mut named = args.machine.clone();
    if let Some(file) = &args.machines_from {
        named.extend(machines_of(file)?);
    }
    let selection = named.into_iter().fold(Selection::all(), Selection::machine);
    let types = args.machine_type.iter().cloned();
    let selection = types.fold(selection, Selection::machine_type);
    let selection = args
        .include
        .iter()
        .cloned()
        .fold(selection, Selection::include);
    Ok(args
        .exclude
        .iter()
        .cloned()
        .fold(selection, Selection::exclude))
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

/// The most of a name that stands in the place of an id, in characters.
const MAX_SHOWN: usize = 100;

/// The report of a machine that the instance does not have. Whether the text was meant as an id or
/// as a name is not known, so it stands in the place of both: one machine that was renamed must not
/// end the run of the others.
fn missing(text: &str) -> Result<ItemReport, Failure> {
    let text = text.trim();
    let reason = format!("not started: no machine has the id or name {text:?}");
    let why = NotStarted::new(ExportErrorKind::NotFound, reason);
    let in_id = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    let id: String = text.chars().map(in_id).take(MAX_SHOWN).collect();
    let source = match MachineId::new(id) {
        Ok(id) if id.as_str() == text => Source::machine(id),
        Ok(id) => Source::machine(id.clone()).of_machine(&Machine::new(id, text)),
        // Nothing, or a path segment: a mistake on the command line.
        Err(_) => return Err(Failure::new(Code::Job, why.to_string())),
    };
    Ok(ItemReport::not_started(source, why))
}

fn failure(error: SelectionError) -> Failure {
    let (code, hint) = match &error {
        SelectionError::Ambiguous { .. } => (Code::Usage, "name the machine by its id"),
        _ => (Code::Job, "`tulip machines` lists the ids, names and types"),
    };
    Failure::new(code, error.to_string()).with_hint(hint)
}
