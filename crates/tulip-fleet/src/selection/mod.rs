//! Selections of the machines that a run exports.

mod error;
mod glob;
mod list;

use std::collections::{HashMap, HashSet};
use std::fmt;

use icu_normalizer::ComposingNormalizer;
use tulip_archive::core::{Machine, MachineType, UnusableMachine};
use tulip_archive::{MachineId, Source};

use crate::sources::source_of;

pub use error::{Candidate, SelectionError};
pub use glob::{Glob, GlobError};
pub use list::parse_machine_list;

/// Which machines of an instance to export: all machines or only named ones, limited to those of a
/// selected type that match a glob of `include` and none of `exclude`.
///
/// ```
/// use tulip_fleet::Selection;
/// use tulip_fleet::archive::core::{Machine, MachineType};
///
/// let mills = [Machine::new("m1".parse()?, "Mill 1"), Machine::new("m2".parse()?, "Mill 2")];
/// let listing = [MachineType::new("t1", "CNC").with_machines(mills.into())];
/// let selection = Selection::all().include("Mill*".parse()?).exclude("m2".parse()?);
/// let selected = selection.select(&listing)?;
/// assert_eq!(selected.sources[0].machine_name(), Some("Mill 1"));
/// assert_eq!(selected.sources.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    machines: Vec<String>,
    types: Vec<Glob>,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
}

/// The machines of a listing that a [`Selection`] selects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// The machines, each once: named ones in the order in which they were named, others as listed.
    pub sources: Vec<Source>,
    /// Ids and names that no machine has.
    pub not_found: Vec<String>,
    /// Selected machines without an id that a call can use. Empty if the selection names machines.
    pub unusable: Vec<UnusableMachine>,
}

/// A machine of a listing with its type.
#[derive(Clone, Copy)]
struct Listed<'a> {
    machine: &'a Machine,
    kind: &'a MachineType,
}

impl Selection {
    /// All machines.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Adds a machine by its id or name. Only added machines are selected then. Machines with the
    /// same name must each be added by id.
    #[must_use]
    pub fn machine(mut self, id_or_name: impl Into<String>) -> Self {
        self.machines.push(id_or_name.into());
        self
    }

    /// Selects only machines of a type whose name or id matches this glob, or an earlier one.
    #[must_use]
    pub fn machine_type(mut self, types: Glob) -> Self {
        self.types.push(types);
        self
    }

    /// Selects only machines whose name, id or type matches this glob, or an earlier one.
    #[must_use]
    pub fn include(mut self, machines: Glob) -> Self {
        self.include.push(machines);
        self
    }

    /// Excludes machines whose name, id or type matches this glob.
    #[must_use]
    pub fn exclude(mut self, machines: Glob) -> Self {
        self.exclude.push(machines);
        self
    }

    /// Returns the selected machines of a listing.
    ///
    /// # Errors
    /// [`SelectionError`] if several machines have a given name, if no machine has any of the ids
    /// and names, or if none that does matches the globs. An instance without machines is not an
    /// error, unless machines are named.
    pub fn select(&self, types: &[MachineType]) -> Result<Selected, SelectionError> {
        let listed: Vec<_> = types
            .iter()
            .flat_map(|kind| {
                kind.machines
                    .iter()
                    .map(move |machine| Listed { machine, kind })
            })
            .collect();
        let (mut found, not_found) = self.named(&listed)?;
        if found.is_empty() && !not_found.is_empty() {
            return Err(SelectionError::NotFound { wanted: not_found });
        }
        let had_some = !found.is_empty();
        found.retain(|listed| self.admits(*listed));
        let unusable = self.unusable(types);
        if found.is_empty() && had_some && unusable.is_empty() {
            return Err(SelectionError::NoMatch {
                wanted: self.to_string(),
                machines: listed.len(),
            });
        }
        let mut seen: HashSet<&MachineId> = HashSet::new();
        found.retain(|listed| seen.insert(&listed.machine.id));
        let sources = found.iter().map(|one| source_of(one.machine, one.kind));
        Ok(Selected {
            sources: sources.collect(),
            not_found,
            unusable,
        })
    }

    /// Returns the machines that would be selected if they had a usable id.
    fn unusable(&self, types: &[MachineType]) -> Vec<UnusableMachine> {
        if !self.machines.is_empty() {
            return Vec::new();
        }
        let each = |kind| move |machine| (kind, machine);
        let listed = types
            .iter()
            .flat_map(|kind| kind.unusable.iter().map(each(kind)));
        let wanted = listed.filter(|(kind, machine)| self.admits_names(kind, &[&machine.name]));
        wanted.map(|(_, machine)| machine.clone()).collect()
    }

    /// Returns the named machines, or all, and the ids and names that no machine has.
    fn named<'a>(
        &self,
        listed: &[Listed<'a>],
    ) -> Result<(Vec<Listed<'a>>, Vec<String>), SelectionError> {
        if self.machines.is_empty() {
            return Ok((listed.to_vec(), Vec::new()));
        }
        let mut by_id: HashMap<&str, Listed<'a>> = HashMap::new();
        let mut by_name: HashMap<String, Vec<Listed<'a>>> = HashMap::new();
        for one in listed {
            by_id.entry(one.machine.id.as_str()).or_insert(*one);
            by_name
                .entry(as_name(&one.machine.name))
                .or_default()
                .push(*one);
        }
        let (mut found, mut not_found) = (Vec::new(), Vec::new());
        for wanted in &self.machines {
            if let Some(one) = by_id.get(wanted.trim()) {
                found.push(*one);
                continue;
            }
            let same_name = by_name.get(&as_name(wanted)).map_or(&[][..], Vec::as_slice);
            let is_one = |other: &Listed<'_>| other.machine.id == same_name[0].machine.id;
            match same_name {
                [] => not_found.push(wanted.clone()),
                [one, others @ ..] if others.iter().all(is_one) => found.push(*one),
                several => {
                    return Err(SelectionError::Ambiguous {
                        name: wanted.clone(),
                        candidates: several.iter().map(candidate).collect(),
                    });
                }
            }
        }
        Ok((found, not_found))
    }

    /// Whether the globs select this machine.
    fn admits(&self, listed: Listed<'_>) -> bool {
        let Listed { machine, kind } = listed;
        self.admits_names(kind, &[&machine.name, machine.id.as_str()])
    }

    fn admits_names(&self, kind: &MachineType, names: &[&str]) -> bool {
        let of_type = |glob: &Glob| glob.matches(&kind.name) || glob.matches(&kind.id);
        let of_machine = |glob: &Glob| names.iter().any(|name| glob.matches(name)) || of_type(glob);
        (self.types.is_empty() || self.types.iter().any(of_type))
            && (self.include.is_empty() || self.include.iter().any(of_machine))
            && !self.exclude.iter().any(of_machine)
    }
}

impl fmt::Display for Selection {
    /// Writes the selection in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |globs: &[Glob]| {
            let texts: Vec<_> = globs
                .iter()
                .map(|glob| format!("{:?}", glob.as_str()))
                .collect();
            texts.join(" or ")
        };
        match self.machines.len() {
            0 => f.write_str("all machines")?,
            1 => write!(f, "the machine {:?}", self.machines[0])?,
            several => write!(f, "{several} machines that are named")?,
        }
        for (globs, what) in [
            (&self.types, "of type"),
            (&self.include, "matching"),
            (&self.exclude, "not matching"),
        ] {
            if !globs.is_empty() {
                write!(f, ", {what} {}", list(globs))?;
            }
        }
        Ok(())
    }
}

fn candidate(listed: &Listed<'_>) -> Candidate {
    Candidate {
        id: listed.machine.id.clone(),
        name: listed.machine.name.clone(),
        machine_type: listed.kind.name.clone(),
    }
}

/// Normalises a name for comparison: trimmed, and in one Unicode form.
fn as_name(name: &str) -> String {
    ComposingNormalizer::new_nfc()
        .normalize(name.trim())
        .into_owned()
}

#[cfg(test)]
mod tests;
