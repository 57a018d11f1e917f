//! Several exports at once.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;
use tulip_archive::{
    Export, ExportError, ExportErrorKind, Exporter, Field, KeyTemplate, OpenExport, Outcome, Source,
};
use tulip_core::MachineType;

use crate::failure::{Code, Failure, code_of};
use crate::output::plain;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// One export to be run.
pub(crate) struct Planned {
    source: Source,
    export: Export,
    remembered: bool,
}

impl Planned {
    pub(crate) fn new(exporter: &Exporter, source: Source) -> Self {
        Self {
            export: exporter.export(source.clone()),
            remembered: exporter.remembers(),
            source,
        }
    }

    /// One that an earlier run has left open, if it tells what it exports.
    pub(crate) fn resumed(exporter: &Exporter, open: &OpenExport) -> Option<Self> {
        Some(Self {
            export: exporter.resume(open)?,
            remembered: true,
            source: open.source()?,
        })
    }
}

/// One export that has ended.
pub(crate) struct Finished {
    pub(crate) source: Source,
    /// Whether another run can go on with it, where it failed.
    pub(crate) remembered: bool,
    pub(crate) result: Result<Outcome, ExportError>,
}

/// The same sources, each once.
pub(crate) fn each_once(sources: Vec<Source>) -> Vec<Source> {
    let mut seen = BTreeSet::new();
    let mut is_new = |source: &Source| {
        let machine = source.known_machine().map(ToString::to_string);
        seen.insert((machine, source.known_job().map(ToString::to_string)))
    };
    sources
        .into_iter()
        .filter(|source| is_new(source))
        .collect()
}

/// Every machine of the listing, with its names.
pub(crate) fn sources_of(types: &[MachineType]) -> Vec<Source> {
    types
        .iter()
        .flat_map(|kind| {
            kind.machines.iter().map(|machine| {
                Source::machine(machine.id.clone())
                    .of_machine(machine)
                    .of_type(match kind.name.trim() {
                        "" => &kind.id,
                        _ => &kind.name,
                    })
            })
        })
        .collect()
}

/// Refuses exports of which one would replace another's object, before anything is started.
pub(crate) fn refuse_shared_names(
    template: Option<&KeyTemplate>,
    sources: &[Source],
) -> Result<(), Failure> {
    let mut taken = BTreeMap::new();
    for source in sources {
        let default = KeyTemplate::default_for(source);
        let template = template.unwrap_or(&default);
        if template.uses(Field::Job) && source.known_job().is_none() {
            // A job that has yet to be started has an id of its own.
            continue;
        }
        let key = template.preview(source).map_err(ExportError::from)?;
        if let Some(first) = taken.insert(key.clone(), source) {
            let fields = "{machine} or {job}";
            return Err(Failure::usage(format!(
                "{first} and {source} would both be stored as {key}; put {fields} into --name"
            )));
        }
    }
    Ok(())
}

/// Runs exports, at most `concurrency` at once, and reports each as it ends. A failure does
/// not stop the others, unless it shows that they would fail for the same reason: then no more
/// are begun, which spares Tulip the jobs.
pub(crate) async fn export(
    exports: Vec<Planned>,
    concurrency: usize,
    progress: &Progress,
    shutdown: &Shutdown,
    mut report: impl FnMut(&Finished) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let all = progress.all(exports.len());
    let mut waiting = exports.into_iter();
    let mut running = JoinSet::new();
    let mut codes = Vec::new();
    let mut hopeless = false;
    // A reader that has left must not cost the exports that are under way.
    let mut unreported = None;
    loop {
        while running.len() < concurrency && !hopeless && !shutdown.is_asked() {
            let Some(planned) = waiting.next() else {
                break;
            };
            running.spawn(one(planned, progress, shutdown));
        }
        let finished = match running.join_next().await {
            Some(Ok(finished)) => finished,
            // Nothing cancels one, so it has panicked.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        };
        all.one_more();
        let error = finished.result.as_ref().err();
        codes.push(error.map(|error| code_of(error.kind())));
        hopeless |= error.is_some_and(dooms_others);
        if unreported.is_none() {
            unreported = report(&finished).err();
        }
    }
    drop(all);
    let left = waiting.len();
    if left > 0 && !shutdown.is_asked() {
        progress.say(&format!(
            "{left} more were not begun, since they would fail as well"
        ));
    }
    match overall(&codes) {
        _ if shutdown.is_asked() && (left > 0 || codes.contains(&Some(Code::Interrupted))) => {
            Err(Failure::interrupted())
        }
        Some(code) => Err(Failure::reported(code)),
        None => unreported.map_or(Ok(()), Err),
    }
}

/// Whether every other export would meet the same: refused credentials, a full or closed target.
fn dooms_others(error: &ExportError) -> bool {
    matches!(
        error.kind(),
        ExportErrorKind::PermissionDenied
            | ExportErrorKind::StoreFull
            | ExportErrorKind::StorePermissionDenied
    )
}

/// Runs an export, as a task of its own, so that several use all processors.
fn one(
    planned: Planned,
    progress: &Progress,
    shutdown: &Shutdown,
) -> impl Future<Output = Finished> + Send + use<> {
    let Planned {
        source,
        export,
        remembered,
    } = planned;
    let name = source
        .machine_name()
        .map_or_else(|| source.to_string(), plain);
    let bar = progress.export(&name);
    let running = export
        .on_event(move |event| bar.show(&event))
        .until(shutdown.wait())
        .into_future();
    async move {
        Finished {
            source,
            remembered,
            result: running.await,
        }
    }
}

/// The common reason's code when all failed for the same one, otherwise 1.
fn overall(codes: &[Option<Code>]) -> Option<Code> {
    let first = codes.iter().copied().find(Option::is_some)??;
    match codes.iter().all(|code| *code == Some(first)) {
        true => Some(first),
        false => Some(Code::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_exports_end_in_the_common_code_or_1() {
        assert_eq!(overall(&[]), None);
        assert_eq!(overall(&[None, None]), None);
        assert_eq!(
            overall(&[Some(Code::Sink), Some(Code::Sink)]),
            Some(Code::Sink)
        );
        assert_eq!(
            overall(&[Some(Code::Job), Some(Code::Sink)]),
            Some(Code::Other)
        );
        assert_eq!(overall(&[None, Some(Code::Job)]), Some(Code::Other));
    }

    #[test]
    fn names_that_would_collide_are_refused_and_others_are_not() {
        let machine = |id: &str| Source::machine(id.parse().unwrap());
        let template = |text: &str| KeyTemplate::parse(text).unwrap();
        let both = [machine("a"), machine("b")];
        assert!(refuse_shared_names(Some(&template("{date}.csv")), &both).is_err());
        assert!(refuse_shared_names(Some(&template("{machine}.csv")), &both).is_ok());
        assert!(refuse_shared_names(Some(&template("{job}.csv")), &both).is_ok());
        assert!(refuse_shared_names(None, &both).is_ok());
        let same = [machine("a"), machine("b"), machine("a")];
        assert_eq!(each_once(same.to_vec()), both);
        let twice = [
            Source::job("j".parse().unwrap()),
            Source::job("j".parse().unwrap()),
        ];
        assert!(refuse_shared_names(None, &twice).is_err());
    }
}
