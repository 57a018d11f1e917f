//! Names of staged and probe files.

use std::ffi::OsStr;

/// The start of the names of files that a probe makes.
pub(super) const PROBE: &str = ".tulip-probe";

/// The staged name of the file `name`: hidden, and different for every writer.
pub(super) fn staged(name: &str, unique: u32) -> String {
    format!(".{name}.{unique:08x}.partial")
}

/// The file name that a staged name belongs to; `None` where `name` is not a staged one.
pub(super) fn target_of(name: &str) -> Option<&str> {
    let inner = name.strip_prefix('.')?.strip_suffix(".partial")?;
    let (target, unique) = inner.rsplit_once('.')?;
    (unique.len() == 8 && unique.bytes().all(|b| b.is_ascii_hexdigit())).then_some(target)
}

pub(super) fn is_staged(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| target_of(name).is_some())
}

pub(super) fn is_probe(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PROBE)) && is_staged(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_name_tells_its_target() {
        let name = staged("a.csv", 0x00c0_ffee);
        assert_eq!(name, ".a.csv.00c0ffee.partial");
        assert_eq!(target_of(&name), Some("a.csv"));
        assert!(is_staged(OsStr::new(&name)) && !is_probe(OsStr::new(&name)));
        assert!(is_probe(OsStr::new(&staged(&PROBE[1..], 7))));
    }

    #[test]
    fn other_names_are_not_staged_ones() {
        for other in [
            "a.csv",
            ".a.csv",
            ".a.partial",
            ".a.csv.zzzzzzzz.partial",
            "a.c0ffee00.partial",
            ".a.csv.00c0ffee.partial#1",
        ] {
            assert_eq!(target_of(other), None, "{other}");
        }
    }
}
