//! What is left of staged files by runs that were killed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing::{debug, warn};

/// Behind this time without a write nobody writes a staged file any more: a download that stalls
/// is given up far sooner.
const STALE: Duration = Duration::from_secs(3600);

/// Whether a file name is one of ours, with or without the suffix that `object_store` adds while
/// it writes.
fn is_staged(name: &str) -> bool {
    let name = match name.rsplit_once('#') {
        Some((name, turn)) if !turn.is_empty() && turn.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    };
    let unique = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".partial"))
        .and_then(|name| name.rsplit_once('.'));
    unique.is_some_and(|(_, hex)| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Removes from `folder` what killed runs have staged there, as of `now`. What cannot be read or
/// removed is left for somebody else.
pub(crate) fn sweep(folder: &Path, now: SystemTime) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(is_staged) {
            continue;
        }
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let age = modified.ok().and_then(|time| now.duration_since(time).ok());
        if age.is_none_or(|age| age < STALE) {
            continue;
        }
        let path = entry.path();
        match std::fs::remove_file(&path) {
            Ok(()) => debug!(path = %path.display(), "removed what a killed run had staged"),
            Err(error) => warn!(path = %path.display(), %error, "a stale staged file stays"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::staging::name;

    #[test]
    fn only_our_own_names_count_as_staged() {
        let ours = name("a.csv", 0x00c0_ffee);
        assert_eq!(ours, ".a.csv.00c0ffee.partial");
        assert!(is_staged(&ours) && is_staged(&format!("{ours}#1")));
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

    #[test]
    fn what_is_stale_goes_and_what_may_be_written_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let (staged, mine) = (
            folder.path().join(name("a.csv", 7) + "#1"),
            folder.path().join(".a.csv"),
        );
        std::fs::write(&staged, "x").unwrap();
        std::fs::write(&mine, "x").unwrap();
        let now = SystemTime::now();
        sweep(folder.path(), now + STALE / 2);
        assert!(staged.exists());
        sweep(folder.path(), now + STALE * 2);
        assert!(!staged.exists() && mine.exists());
        sweep(&folder.path().join("nowhere"), now);
    }
}
