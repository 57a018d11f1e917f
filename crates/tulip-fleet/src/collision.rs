//! Finds keys of a run that would be the same object on the target, before anything is started.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use icu_normalizer::ComposingNormalizer;
use tulip_archive::{ExportError, ExportErrorKind, ObjectKey, Source};
use tulip_core::sink::Capabilities;

use crate::{ItemReport, NotStarted};

/// How many collisions a message lists.
const MOST_LISTED: usize = 5;

/// A source and the key that its archive would be stored under. The key is `None` if it contains a
/// job that is not started yet, and so cannot collide.
pub(crate) type Keyed = (Source, Option<ObjectKey>);

/// Two exports, one of which would replace an object of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collision {
    /// The source that comes first in the run, and its key.
    pub first: (Source, ObjectKey),
    /// The other source, and its key.
    pub second: (Source, ObjectKey),
    how: How,
    /// The positions of both in the run.
    places: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    SameKey,
    SameOnTarget,
    /// The archive of one has the key of the other's receipt.
    Receipt,
}

/// How a key is used in this run.
#[derive(Clone, Copy)]
struct Use {
    by: usize,
    is_receipt: bool,
}

/// Every collision of a run. None of its exports is started: one would replace another, and after a
/// start it would be too late to choose other keys.
#[derive(Debug)]
pub struct Collisions {
    sources: Vec<Source>,
    found: Vec<Collision>,
    names_machine: bool,
    /// The exports without a usable key, and what is wrong with it.
    unusable: Vec<(Source, String)>,
}

/// A change that would avoid the collisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollisionAdvice {
    /// Put `{job}` into the key template.
    AddJob,
    /// Several machines have the same name: put `{machine}`, the id, into the key template.
    SameMachineName,
    /// The target does not distinguish the names of the machines: put `{machine}`, the id, into the
    /// key template.
    AddMachine,
    /// Put any of `{machine}`, `{machine_name}` and `{job}` into the key template.
    AddMachineOrJob,
}

impl fmt::Display for CollisionAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddJob => "put {job} into the key template",
            Self::SameMachineName => {
                "the machines have the same name; put {machine}, the id, into the key template as well"
            }
            Self::AddMachine => "put {machine}, the id, into the key template as well",
            Self::AddMachineOrJob => {
                "put {machine}, {machine_name} or {job} into the key template"
            }
        })
    }
}

impl Collisions {
    /// Finds every export whose archive or receipt would have the key of an earlier one, as the
    /// target compares keys; `None` if there is none. `names_machine` says whether the template has
    /// `{machine_name}`.
    pub(crate) fn find(keyed: &[Keyed], target: Capabilities, names_machine: bool) -> Option<Self> {
        let found = collisions(keyed, target);
        let sources = || keyed.iter().map(|(source, _)| source.clone()).collect();
        (!found.is_empty()).then(|| Self {
            sources: sources(),
            found,
            names_machine,
            unusable: Vec::new(),
        })
    }

    /// Adds the exports without a usable key, which are not started either.
    pub(crate) fn with_unusable(mut self, unusable: &[(Source, ExportError)]) -> Self {
        let reason = |error: &ExportError| format!("not started: {error}");
        let unusable = unusable.iter();
        self.unusable
            .extend(unusable.map(|(source, error)| (source.clone(), reason(error))));
        self
    }

    /// Returns the collisions, in the order of the run.
    #[must_use]
    pub fn as_slice(&self) -> &[Collision] {
        &self.found
    }

    /// Returns the change that would avoid the collisions.
    #[must_use]
    pub fn advice(&self) -> CollisionAdvice {
        let mut sources = self
            .found
            .iter()
            .flat_map(|one| [&one.first.0, &one.second.0]);
        if !sources.all(|source| source.known_job().is_none()) {
            return CollisionAdvice::AddJob;
        }
        let have_same_name = |one: &Collision| {
            let (first, second) = (one.first.0.machine_name(), one.second.0.machine_name());
            first.is_some() && first == second
        };
        match self.names_machine {
            true if self.found.iter().any(have_same_name) => CollisionAdvice::SameMachineName,
            true => CollisionAdvice::AddMachine,
            false => CollisionAdvice::AddMachineOrJob,
        }
    }

    /// Returns a report for every export of the run. None of them is started.
    #[must_use]
    pub fn reports(&self) -> Vec<ItemReport> {
        let mut of_place: HashMap<usize, &Collision> = HashMap::new();
        for one in &self.found {
            of_place.entry(one.places.0).or_insert(one);
            of_place.entry(one.places.1).or_insert(one);
        }
        let reason = |at| {
            of_place.get(&at).map_or_else(
                || "not started: other exports of this run would have the same key".to_owned(),
                ToString::to_string,
            )
        };
        let report = |(source, reason): (&Source, String)| {
            let why = NotStarted::new(ExportErrorKind::InvalidRequest, reason);
            ItemReport::not_started(source.clone(), why)
        };
        let keyed = self.sources.iter().enumerate();
        let keyed = keyed.map(|(at, source)| report((source, reason(at))));
        let unusable = self.unusable.iter();
        let unusable = unusable.map(|(source, reason)| report((source, reason.clone())));
        keyed.chain(unusable).collect()
    }
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((first, first_key), (second, second_key)) = (&self.first, &self.second);
        match self.how {
            How::SameKey => write!(
                f,
                "{first} and {second} would both be stored as {first_key}"
            ),
            How::SameOnTarget => write!(
                f,
                "{first} and {second} would be stored as {first_key} and {second_key}, which are \
                 one object on this target"
            ),
            How::Receipt => write!(
                f,
                "{first} and {second} would be stored as {first_key} and {second_key}, and one of \
                 these is the key of the other's receipt"
            ),
        }
    }
}

impl fmt::Display for Collisions {
    /// Writes the first few collisions, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.found.iter().take(MOST_LISTED).enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{one}")?;
        }
        match self.found.len().checked_sub(MOST_LISTED) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

fn collisions(keyed: &[Keyed], target: Capabilities) -> Vec<Collision> {
    let mut taken: HashMap<String, Use> = HashMap::new();
    let mut found: Vec<Collision> = Vec::new();
    let known = |at: usize| {
        let (source, key) = &keyed[at];
        Some((source.clone(), key.clone()?))
    };
    for (by, (_, key)) in keyed.iter().enumerate() {
        let Some(key) = key else {
            continue;
        };
        for (key, is_receipt) in [
            (Cow::Borrowed(key), false),
            (Cow::Owned(key.receipt()), true),
        ] {
            let folded = as_on_target(key.as_str(), target);
            let Some(earlier) = taken.get(&folded).copied() else {
                taken.insert(folded, Use { by, is_receipt });
                continue;
            };
            let is_known = found.last().is_some_and(|last| last.places.1 == by);
            if earlier.by == by || is_known {
                continue;
            }
            let how = match earlier.is_receipt == is_receipt {
                false => How::Receipt,
                true if keyed[earlier.by].1 == keyed[by].1 => How::SameKey,
                true => How::SameOnTarget,
            };
            if let (Some(first), Some(second)) = (known(earlier.by), known(by)) {
                found.push(Collision {
                    first,
                    second,
                    how,
                    places: (earlier.by, by),
                });
            }
        }
    }
    found
}

/// Returns the key as the target compares it.
fn as_on_target(key: &str, target: Capabilities) -> String {
    let mut key = Cow::Borrowed(key);
    if target.ignores_case {
        let upper = key.chars().flat_map(char::to_uppercase);
        key = Cow::Owned(upper.flat_map(char::to_lowercase).collect());
    }
    match target.ignores_unicode_form {
        true => ComposingNormalizer::new_nfc().normalize(&key).into_owned(),
        false => key.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(keys: &[&str]) -> Vec<Keyed> {
        let source = Source::machine("m".parse().unwrap());
        let with_key = |key: &&str| (source.clone(), Some(ObjectKey::new(key).unwrap()));
        keys.iter().map(with_key).collect()
    }

    fn pairs(keys: &[&str], target: Capabilities) -> Vec<(usize, usize, How)> {
        let found = collisions(&keyed(keys), target);
        found
            .iter()
            .map(|one| (one.places.0, one.places.1, one.how))
            .collect()
    }

    #[test]
    fn equal_keys_collide_on_every_target() {
        assert_eq!(
            pairs(&["a", "b", "a", "a"], Capabilities::NONE),
            [(0, 2, How::SameKey), (0, 3, How::SameKey)]
        );
        assert_eq!(pairs(&["a", "A", "ä", "a\u{308}"], Capabilities::NONE), []);
    }

    #[test]
    fn keys_collide_as_the_target_compares_them() {
        let case = Capabilities::NONE.with_ignored_case();
        assert_eq!(
            pairs(&["Mill/A.csv", "mill/a.CSV", "ä", "Ä"], case),
            [(0, 1, How::SameOnTarget), (2, 3, How::SameOnTarget)]
        );
        assert_eq!(pairs(&["ä", "a\u{308}"], case), []);
        let form = Capabilities::NONE.with_ignored_unicode_form();
        assert_eq!(
            pairs(&["ä", "a\u{308}", "Ä"], form),
            [(0, 1, How::SameOnTarget)]
        );
        let both = form.with_ignored_case();
        assert_eq!(pairs(&["ä", "A\u{308}"], both), [(0, 1, How::SameOnTarget)]);
    }

    #[test]
    fn an_archive_does_not_get_the_key_of_anothers_receipt() {
        let receipt = ObjectKey::new("in/a.csv").unwrap().receipt();
        for keys in [
            ["in/a.csv", receipt.as_str()],
            [receipt.as_str(), "in/a.csv"],
        ] {
            assert_eq!(pairs(&keys, Capabilities::NONE), [(0, 1, How::Receipt)]);
        }
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let keyed = keyed(&["a.csv"; 20]);
        let found = Collisions::find(&keyed, Capabilities::NONE, false).unwrap();
        let text = found.to_string();
        assert_eq!(text.matches("both be stored as a.csv").count(), 5);
        assert!(text.ends_with("; and 14 more"), "{text}");
    }
}
