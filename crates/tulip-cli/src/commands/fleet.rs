//! Several exports at once.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use tulip_archive::{ExportError, Exporter, Field, KeyTemplate, Outcome, Source};
use tulip_core::MachineType;

use crate::failure::{Code, Failure, code_of};
use crate::output::plain;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// One export that has ended.
pub(crate) struct Finished {
    pub(crate) source: Source,
    pub(crate) result: Result<Outcome, ExportError>,
}

/// Every machine of the listing, with its names.
pub(crate) fn sources_of(types: &[MachineType]) -> Vec<Source> {
    types
        .iter()
        .flat_map(|kind| {
            kind.machines.iter().map(|machine| {
                Source::machine(machine.id.clone())
                    .of_machine(machine)
                    .of_type(&kind.name)
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
                "{first} and {source} would both be stored as {key}; put {fields} into --name, or name each once"
            )));
        }
    }
    Ok(())
}

/// Exports `sources`, at most `concurrency` at once, and reports each as it ends. A failure does
/// not stop the others.
pub(crate) async fn export(
    exporter: Exporter,
    sources: Vec<Source>,
    concurrency: usize,
    progress: &Progress,
    shutdown: &Shutdown,
    mut report: impl FnMut(&Finished) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let all = progress.all(sources.len());
    let mut running = futures_util::stream::iter(sources)
        .map(|source| one(&exporter, source, progress, shutdown))
        .buffer_unordered(concurrency);
    let mut codes = Vec::new();
    while let Some(finished) = running.next().await {
        all.one_more();
        codes.push(
            finished
                .result
                .as_ref()
                .err()
                .map(|error| code_of(error.kind())),
        );
        let cancelled = codes.last() == Some(&Some(Code::Interrupted));
        if !cancelled {
            report(&finished)?;
        }
    }
    match overall(&codes) {
        _ if shutdown.is_asked() && codes.contains(&Some(Code::Interrupted)) => {
            Err(Failure::interrupted())
        }
        Some(code) => Err(Failure::reported(code)),
        None => Ok(()),
    }
}

async fn one(
    exporter: &Exporter,
    source: Source,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Finished {
    let name = source
        .machine_name()
        .map_or_else(|| source.to_string(), plain);
    let bar = progress.export(&name);
    let export = exporter.export(source.clone());
    let result = export
        .on_event(move |event| bar.show(&event))
        .until(shutdown.wait())
        .await;
    Finished { source, result }
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
        let twice = [
            Source::job("j".parse().unwrap()),
            Source::job("j".parse().unwrap()),
        ];
        assert!(refuse_shared_names(None, &twice).is_err());
    }
}
