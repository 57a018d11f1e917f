//! The config files of working directories that are trusted.
//!
//! Such a file decides where credentials are sent and archives are stored, and anybody may have put
//! it there. As with direnv, it is used only once the user has trusted it: a record in the user's
//! own data directory names the path and the content, so a changed file has to be trusted again.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use sha2::{Digest as _, Sha256};

/// Whether the file at `path` is trusted with this content.
pub(super) fn is_trusted(path: &Path, content: &str) -> bool {
    record_of(path, content).is_some_and(|record| record.is_file())
}

/// Trusts the file at `path` with this content.
pub(super) fn trust(path: &Path, content: &str) -> std::io::Result<()> {
    let Some(record) = record_of(path, content) else {
        let what = "there is no home directory to remember it in; name the file with --config";
        return Err(std::io::Error::other(what));
    };
    if let Some(folder) = record.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // The content is for people: only the name of the record counts.
    std::fs::write(record, path.as_os_str().as_encoded_bytes())
}

fn record_of(path: &Path, content: &str) -> Option<PathBuf> {
    let data = etcetera::choose_base_strategy().ok()?.data_dir();
    let path = path.canonicalize().ok()?;
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(content);
    let name: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // With a relative XDG variable, the record would be looked up in the working directory.
    data.is_absolute()
        .then(|| data.join("tulip/trusted").join(name))
}
