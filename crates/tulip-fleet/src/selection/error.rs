//! Why a selection cannot be used on a listing.

use std::fmt;

use tulip_archive::MachineId;

/// How many machines or names a message lists.
const MOST_LISTED: usize = 5;

/// Why a selection cannot be used on a listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// Several machines have this name.
    #[error("{} machines are named {name:?}: {}", candidates.len(), listed(candidates))]
    Ambiguous {
        /// The name.
        name: String,
        /// The machines that have it.
        candidates: Vec<Candidate>,
    },
    /// No machine has any of these ids or names.
    #[error("no machine has the id or name {}", quoted(wanted))]
    NotFound {
        /// The ids and names that were looked for.
        wanted: Vec<String>,
    },
    /// No machine matches the globs.
    #[error("no machine is selected by: {wanted} (of {machines} machines of the instance)")]
    NoMatch {
        /// The selection, in words.
        wanted: String,
        /// How many machines the instance has.
        machines: usize,
    },
}

/// A machine that an ambiguous name may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its id, which is unique.
    pub id: MachineId,
    /// Its name.
    pub name: String,
    /// The name of its type.
    pub machine_type: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.machine_type.trim() {
            "" => write!(f, "{}", self.id),
            kind => write!(f, "{} (type {kind:?})", self.id),
        }
    }
}

fn listed(candidates: &[Candidate]) -> String {
    shortened(candidates.iter().map(ToString::to_string))
}

fn quoted(names: &[String]) -> String {
    shortened(names.iter().map(|name| format!("{name:?}")))
}

/// Joins the first few texts, and appends how many more there are.
fn shortened(texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(MOST_LISTED);
    let first: Vec<_> = texts.take(MOST_LISTED).collect();
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
