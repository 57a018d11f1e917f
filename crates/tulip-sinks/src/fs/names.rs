//! Names of staged and probe files.

use std::ffi::OsStr;

use tulip_core::sink::staged_target;

/// The prefix of the names of a probe's files.
pub(super) const PROBE: &str = ".tulip-probe";

pub(super) fn is_staged(name: &OsStr) -> bool {
    name.to_str().and_then(staged_target).is_some()
}

pub(super) fn is_probe(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PROBE)) && is_staged(name)
}

#[cfg(test)]
mod tests {
    use tulip_core::sink::staged_name;

    use super::*;

    #[test]
    fn what_a_probe_makes_is_staged_and_told_from_objects() {
        let (object, probe) = (staged_name("a.csv", 7), staged_name(&PROBE[1..], 7));
        assert!(is_staged(OsStr::new(&object)) && !is_probe(OsStr::new(&object)));
        assert!(is_staged(OsStr::new(&probe)) && is_probe(OsStr::new(&probe)));
    }
}
