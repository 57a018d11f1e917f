//! The names under which objects are staged and targets are tried.

/// The staged name of the object `name`: hidden, and of its own for every writer.
pub(super) fn name(name: &str, unique: u32) -> String {
    format!(".{name}.{unique:08x}.partial")
}

/// The beginning of the names of what a probe makes.
pub(super) const PROBE: &str = ".tulip-probe";

/// Whether a name is that of something staged.
pub(super) fn is_staged(name: &str) -> bool {
    let unique = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".partial"))
        .and_then(|name| name.rsplit_once('.'));
    unique.is_some_and(|(_, hex)| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_count_as_staged() {
        let ours = name("a.csv", 0x00c0_ffee);
        assert_eq!(ours, ".a.csv.00c0ffee.partial");
        assert!(is_staged(&ours));
        for other in [
            "a.csv",
            ".a.csv",
            ".a.partial",
            ".a.csv.zzzzzzzz.partial",
            "a.c0ffee00.partial",
            ".x#1",
        ] {
            assert!(!is_staged(other), "{other}");
        }
    }
}
