//! What a run exports: every source once, under keys that can be used and do not collide.

use std::collections::BTreeSet;

use tulip_archive::{
    Export, ExportError, ExportErrorKind, Exporter, Field, IncompleteExport, KeyTemplate,
    ObjectKey, Source,
};
use tulip_core::MachineType;
use tulip_core::sink::Capabilities;

use super::keys::{self, Keyed};
use super::outcome::{Ended, NotStarted};
use crate::failure::Failure;

/// One export to be run.
pub(crate) struct Planned {
    pub(super) source: Source,
    pub(super) export: Export,
    pub(super) remembered: bool,
}

impl Planned {
    pub(crate) fn new(exporter: &Exporter, source: Source) -> Self {
        Self {
            export: exporter.export(source.clone()),
            remembered: exporter.remembers(),
            source,
        }
    }

    /// One that an earlier run left incomplete, if it tells what it exports.
    pub(crate) fn resumed(exporter: &Exporter, open: &IncompleteExport) -> Option<Self> {
        Some(Self {
            export: exporter.resume(open)?,
            remembered: true,
            source: open.source()?,
        })
    }
}

/// The exports of a run, and those that have failed before they could be started.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) planned: Vec<Planned>,
    pub(crate) ended: Vec<Ended>,
}

/// A run of which nothing is started.
pub(crate) struct Refused {
    /// A line for each export.
    pub(crate) ended: Vec<Ended>,
    pub(crate) failure: Failure,
}

impl Plan {
    /// Plans an export of each source. A key that cannot be used is the failure of its machine.
    /// Keys that collide on the target refuse the whole run: one would replace the other, and
    /// after a start it would be too late to rename.
    pub(crate) fn of(
        exporter: &Exporter,
        template: Option<&KeyTemplate>,
        target: Capabilities,
        sources: Vec<Source>,
    ) -> Result<Self, Box<Refused>> {
        refuse_collisions(template, target, &sources)?;
        let mut plan = Self::default();
        for source in sources {
            match preview(template, &source) {
                Ok(_) => plan.planned.push(Planned::new(exporter, source)),
                Err(error) => plan.ended.push(Ended::failed(source, error)),
            }
        }
        Ok(plan)
    }
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

fn template_of(template: Option<&KeyTemplate>, source: &Source) -> KeyTemplate {
    template.map_or_else(|| KeyTemplate::default_for(source), Clone::clone)
}

fn preview(template: Option<&KeyTemplate>, source: &Source) -> Result<ObjectKey, ExportError> {
    Ok(template_of(template, source).preview(source)?)
}

fn refuse_collisions(
    template: Option<&KeyTemplate>,
    target: Capabilities,
    sources: &[Source],
) -> Result<(), Box<Refused>> {
    // A job that is not started yet has an id that no other export has.
    let is_unique = |source: &Source| {
        source.known_job().is_none() && template_of(template, source).uses(Field::Job)
    };
    let keyed: Vec<Keyed<'_>> = sources
        .iter()
        .filter(|source| !is_unique(source))
        .filter_map(|source| Some((source, preview(template, source).ok()?)))
        .collect();
    let found = keys::collisions(&keyed, target);
    let Some(first) = found.first() else {
        return Ok(());
    };
    let template = template_of(template, keyed[first.first].0);
    let failure = Failure::usage(keys::describe_all(&found, &keyed))
        .with_hint(keys::advice(&found, &keyed, &template));
    let reason = |source: &Source| {
        let of_this = found.iter().find(|one| {
            let (first, second) = (keyed[one.first].0, keyed[one.second].0);
            first == source || second == source
        });
        match of_this {
            Some(one) => keys::describe(one, &keyed),
            None => "not started: other exports of this run would have the same key".to_owned(),
        }
    };
    let ended = sources.iter().map(|source| {
        let why = NotStarted {
            kind: ExportErrorKind::InvalidRequest,
            reason: reason(source),
        };
        Ended::not_started(source.clone(), why)
    });
    Err(Box::new(Refused {
        ended: ended.collect(),
        failure,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Error;
    use super::*;
    use tulip_core::Machine;

    fn machine(id: &str) -> Source {
        Source::machine(id.parse().unwrap())
    }

    fn refused(template: Option<&str>, sources: &[Source]) -> Option<String> {
        let template = template.map(|text| KeyTemplate::parse(text).unwrap());
        let checked = refuse_collisions(template.as_ref(), Capabilities::NONE, sources);
        checked.err().map(|refused| {
            assert_eq!(refused.ended.len(), sources.len());
            refused.failure.to_string()
        })
    }

    #[test]
    fn keys_that_would_collide_are_refused_and_others_are_not() {
        let both = [machine("a"), machine("b")];
        assert!(refused(Some("{date}.csv"), &both).is_some());
        assert_eq!(refused(Some("{machine}.csv"), &both), None);
        assert_eq!(refused(Some("{job}.csv"), &both), None);
        assert_eq!(refused(None, &both), None);
        let job = |id: &str| Source::job(id.parse().unwrap());
        assert!(refused(None, &[job("j"), job("j")]).is_some());
        assert_eq!(refused(None, &[job("j"), job("k")]), None);
    }

    #[test]
    fn keys_that_the_target_does_not_tell_apart_are_refused_with_what_does() {
        let named = |id: &str, name: &str| {
            let machine = Machine::new(id.parse().unwrap(), name);
            Source::machine(machine.id.clone()).of_machine(&machine)
        };
        let sources = [named("a", "Mill"), named("b", "Press"), named("c", "MILL")];
        let template = KeyTemplate::parse("{machine_name}.csv").unwrap();
        let checked =
            |target| refuse_collisions(Some(&template), target, &sources).map_err(|error| *error);
        assert!(checked(Capabilities::NONE).is_ok());
        let refused = checked(Capabilities::NONE.with_ignored_case())
            .err()
            .unwrap();
        let message = refused.failure.to_string();
        assert!(
            message.contains("Mill.csv and MILL.csv, which are one object"),
            "{message}"
        );
        let reasons = refused.ended.iter().map(|ended| match &ended.result {
            Err(Error::NotStarted(why)) => why.reason.as_str(),
            _ => "",
        });
        let about_both: Vec<_> = reasons.map(|why| why.contains("one object")).collect();
        assert_eq!(about_both, [true, false, true]);
    }

    #[test]
    fn a_source_is_exported_once() {
        let same = [machine("a"), machine("b"), machine("a")];
        assert_eq!(
            each_once(same.to_vec()),
            [machine("a"), machine("b")].to_vec()
        );
    }
}
