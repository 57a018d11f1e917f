//! The sources of a run.

use std::collections::HashSet;

use tulip_archive::core::{Machine, MachineType};
use tulip_archive::{JobId, MachineId, Source};

/// Returns every machine of a listing as a source, with its names.
#[must_use]
pub fn sources_of(types: &[MachineType]) -> Vec<Source> {
    let each = |kind| move |machine| source_of(machine, kind);
    types
        .iter()
        .flat_map(|kind: &MachineType| kind.machines.iter().map(each(kind)))
        .collect()
}

/// Returns a machine of a listing as a source, with its names.
pub(crate) fn source_of(machine: &Machine, kind: &MachineType) -> Source {
    Source::machine(machine.id.clone())
        .of_machine(machine)
        .of_type(match kind.name.trim() {
            "" => &kind.id,
            _ => &kind.name,
        })
}

/// Returns the sources in the same order, with each machine and each job once.
#[must_use]
pub fn deduplicate(sources: impl IntoIterator<Item = Source>) -> Vec<Source> {
    let mut seen: HashSet<(Option<MachineId>, Option<JobId>)> = HashSet::new();
    let mut is_new = |source: &Source| {
        let machine = source.known_machine().cloned();
        seen.insert((machine, source.known_job().cloned()))
    };
    sources
        .into_iter()
        .filter(|source| is_new(source))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_exported_once() {
        let machine = |id: &str| Source::machine(id.parse().unwrap());
        let same = [machine("a"), machine("b"), machine("a")];
        assert_eq!(deduplicate(same), [machine("a"), machine("b")].to_vec());
        let job = |id: &str| Source::job(id.parse().unwrap());
        assert_eq!(deduplicate([job("j"), job("k"), job("j")]).len(), 2);
    }
}
