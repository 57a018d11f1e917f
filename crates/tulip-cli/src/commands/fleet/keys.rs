//! Keys of a run that would be one object on the target, found before anything is started.

use std::borrow::Cow;
use std::collections::HashMap;

use icu_normalizer::ComposingNormalizer;
use tulip_archive::{Field, KeyTemplate, ObjectKey, Source};
use tulip_core::sink::Capabilities;

/// How many collisions a message lists.
const MOST_LISTED: usize = 5;

/// A source and the key that its archive would be stored under.
pub(crate) type Keyed<'a> = (&'a Source, ObjectKey);

/// Two exports of which one would replace something of the other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collision {
    /// The places of both in the run, the earlier first.
    pub(crate) first: usize,
    pub(crate) second: usize,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    SameKey,
    SameOnTarget,
    /// One's archive has the key of the other's receipt.
    Receipt,
}

/// What a key is in this run.
#[derive(Clone, Copy)]
struct Use {
    by: usize,
    is_receipt: bool,
}

/// Every export whose archive or receipt would have a key that an earlier one has, as the target
/// tells keys apart.
pub(crate) fn collisions(keyed: &[Keyed<'_>], target: Capabilities) -> Vec<Collision> {
    let mut taken: HashMap<String, Use> = HashMap::new();
    let mut found: Vec<Collision> = Vec::new();
    for (by, (_, key)) in keyed.iter().enumerate() {
        for (key, is_receipt) in [
            (Cow::Borrowed(key), false),
            (Cow::Owned(key.receipt()), true),
        ] {
            let folded = as_on_target(key.as_str(), target);
            let Some(earlier) = taken.get(&folded).copied() else {
                taken.insert(folded, Use { by, is_receipt });
                continue;
            };
            let is_known = found.last().is_some_and(|last| last.second == by);
            if earlier.by != by && !is_known {
                let how = match earlier.is_receipt == is_receipt {
                    false => How::Receipt,
                    true if keyed[earlier.by].1 == keyed[by].1 => How::SameKey,
                    true => How::SameOnTarget,
                };
                found.push(Collision {
                    first: earlier.by,
                    second: by,
                    how,
                });
            }
        }
    }
    found
}

/// The key as the target compares it.
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

/// One collision in words.
pub(crate) fn describe(collision: &Collision, keyed: &[Keyed<'_>]) -> String {
    let (first, first_key) = &keyed[collision.first];
    let (second, second_key) = &keyed[collision.second];
    match collision.how {
        How::SameKey => format!("{first} and {second} would both be stored as {first_key}"),
        How::SameOnTarget => format!(
            "{first} and {second} would be stored as {first_key} and {second_key}, which are one \
             object on this target"
        ),
        How::Receipt => format!(
            "{first} and {second} would be stored as {first_key} and {second_key}, and one of \
             these is the key of the other's receipt"
        ),
    }
}

/// All collisions in words, the first several of them.
pub(crate) fn describe_all(found: &[Collision], keyed: &[Keyed<'_>]) -> String {
    let listed = found.iter().take(MOST_LISTED);
    let listed: Vec<_> = listed.map(|one| describe(one, keyed)).collect();
    let mut text = listed.join("; ");
    if found.len() > MOST_LISTED {
        text.push_str(&format!("; and {} more", found.len() - MOST_LISTED));
    }
    text
}

/// What tells the exports apart.
pub(crate) fn advice(found: &[Collision], keyed: &[Keyed<'_>], template: &KeyTemplate) -> String {
    let (sources, named) = (
        found.iter().flat_map(|one| [one.first, one.second]),
        template.uses(Field::MachineName),
    );
    let by_machine = sources
        .map(|at| keyed[at].0)
        .all(|source| source.known_job().is_none());
    if !by_machine {
        return "put {job} into --name".to_owned();
    }
    let same_name = found.iter().any(|one| {
        let name = |at: usize| keyed[at].0.machine_name();
        name(one.first).is_some() && name(one.first) == name(one.second)
    });
    match (named, same_name) {
        (true, true) => {
            "the machines have the same name; put {machine}, the id, into --name as well: \
             --name '{machine_name}-{machine}.csv'"
        }
        (true, false) => {
            "put {machine}, the id, into --name as well: --name '{machine_name}-{machine}.csv'"
        }
        (false, _) => "put {machine}, {machine_name} or {job} into --name",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(keys: &[&str], target: Capabilities) -> Vec<(usize, usize, How)> {
        let source = Source::machine("m".parse().unwrap());
        let keyed: Vec<_> = keys
            .iter()
            .map(|key| (&source, ObjectKey::new(key).unwrap()))
            .collect();
        let found = collisions(&keyed, target);
        found
            .iter()
            .map(|one| (one.first, one.second, one.how))
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
        let source = Source::machine("m".parse().unwrap());
        let keyed: Vec<_> = (0..20)
            .map(|_| (&source, ObjectKey::new("a.csv").unwrap()))
            .collect();
        let found = collisions(&keyed, Capabilities::NONE);
        let text = describe_all(&found, &keyed);
        assert_eq!(text.matches("both be stored as a.csv").count(), 5);
        assert!(text.ends_with("; and 14 more"), "{text}");
    }
}
