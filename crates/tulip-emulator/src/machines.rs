//! The machines of an instance.

use tulip_core::{Machine, MachineId, MachineType};

use crate::csv::MachineKind;
use crate::random::Random;

/// All machines, listed by type.
#[derive(Debug)]
pub(crate) struct Machines {
    types: Vec<MachineType>,
    kinds: Vec<(MachineId, MachineKind)>,
}

/// Names as people choose them; the machine's number follows.
const fn stems(kind: MachineKind) -> &'static [&'static str] {
    match kind {
        MachineKind::Cnc => &["Mill", "Lathe", "Fräse, groß", "Mill \"Berta\""],
        MachineKind::Molding => &["Spritzgießer Süd", "Press", "Molder"],
        MachineKind::Laser => &["Laser", "激光切割机", "Cutter & Bender"],
    }
}

impl Machines {
    /// Creates `count` machines, assigned to the types in turn.
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        let mut types: Vec<_> = MachineKind::ALL
            .iter()
            .zip(0..)
            .map(|(kind, nth)| {
                let id = Random::of(seed, "machine type", nth).name(17);
                MachineType::new(id, kind.name())
            })
            .collect();
        let mut kinds = Vec::new();
        let turns = MachineKind::ALL.into_iter().enumerate().cycle();
        for ((nth_type, kind), nth) in turns.zip(0..count) {
            let stems = stems(kind);
            let stem = stems[nth / MachineKind::ALL.len() % stems.len()];
            let Ok(id) = MachineId::new(machine_id(seed, nth)) else {
                continue;
            };
            let name = format!("{stem} {:02}", nth + 1);
            types[nth_type]
                .machines
                .push(Machine::new(id.clone(), name));
            kinds.push((id, kind));
        }
        types.retain(|kind| !kind.machines.is_empty());
        Self { types, kinds }
    }

    /// The types that have machines.
    pub(crate) fn types(&self) -> &[MachineType] {
        &self.types
    }

    pub(crate) fn kind(&self, id: &MachineId) -> Option<MachineKind> {
        let found = self.kinds.iter().find(|(known, _)| known == id);
        found.map(|(_, kind)| *kind)
    }

    pub(crate) fn first(&self) -> Option<&MachineId> {
        self.kinds.first().map(|(id, _)| id)
    }
}

/// Later versions of Tulip use underscores in ids, so every fourth machine has one.
fn machine_id(seed: u64, nth: usize) -> String {
    let mut id = Random::of(seed, "machine", nth as u64).name(17);
    if nth % 4 == 3 {
        id.replace_range(8..9, "_");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_dealt_to_types_and_keep_their_kind() {
        let machines = Machines::new(1, 7);
        let counts: Vec<_> = machines
            .types()
            .iter()
            .map(|kind| (kind.name.as_str(), kind.machines.len()))
            .collect();
        assert_eq!(
            counts,
            [("CNC", 3), ("Injection Molding", 2), ("Laser Cutter", 2)]
        );
        for (listed, kind) in machines.types().iter().zip(MachineKind::ALL) {
            assert!(
                listed
                    .machines
                    .iter()
                    .all(|m| machines.kind(&m.id) == Some(kind))
            );
        }
        assert_eq!(machines.kind(&"nobody".parse().unwrap()), None);
    }

    #[test]
    fn a_few_machines_already_have_a_name_beyond_ascii_and_an_odd_id() {
        let machines = Machines::new(1, 4);
        let all = || machines.types().iter().flat_map(|kind| &kind.machines);
        assert!(all().any(|machine| !machine.name.is_ascii()));
        assert!(all().any(|machine| machine.id.as_str().contains('_')));
    }

    #[test]
    fn no_machines_make_an_empty_list() {
        assert!(Machines::new(1, 0).types().is_empty());
        assert_eq!(Machines::new(1, 0).first(), None);
    }
}
