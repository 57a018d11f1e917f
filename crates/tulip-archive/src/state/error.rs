//! Why the state cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// What cannot be remembered, or is not readable.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the state in {}", path.display())]
pub struct StateError {
    path: PathBuf,
    what: &'static str,
    source: io::Error,
}

impl StateError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            what: "write",
            source,
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            what: "read",
            source,
        }
    }
}
