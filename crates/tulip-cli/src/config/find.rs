//! Finding the config file.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::failure::Failure;
use crate::values;

/// The name of the file in the working directory, and below the user's config directory.
const FILE_NAME: &str = "tulip.toml";

/// The maximum size of a config file. A larger file was named by mistake.
const MAX_BYTES: u64 = 1024 * 1024;

/// How the file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Named by `--config` or `TULIP_CONFIG`.
    Named,
    /// In the working directory.
    WorkingDirectory,
    /// In the user's config directory.
    User,
}

/// A file that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Finds the named file, or that of the working directory, or else the user's.
pub(super) fn find(named: Option<&Path>) -> Result<Option<Found>, Failure> {
    let named = named.map(|path| values::unwrapped_path(path.as_os_str()));
    if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
        let missing = || Failure::usage(format!("there is no config file {}", path.display()));
        let found = read(&path, Origin::Named)?;
        return found.ok_or_else(missing).map(Some);
    }
    let here = here()?;
    match of_user() {
        Some(path) if here.is_none() => read(&path, Origin::User),
        _ => Ok(here),
    }
}

/// The file of the working directory.
pub(super) fn here() -> Result<Option<Found>, Failure> {
    read(Path::new(FILE_NAME), Origin::WorkingDirectory)
}

/// The path of the user's own file. `None` if there is no home directory, or a relative one, which
/// could lead anywhere.
pub(super) fn of_user() -> Option<PathBuf> {
    let folder = etcetera::choose_base_strategy().ok()?.config_dir();
    folder
        .is_absolute()
        .then(|| folder.join("tulip").join(FILE_NAME))
}

/// Reads a file; `None` if there is none.
fn read(path: &Path, origin: Origin) -> Result<Option<Found>, Failure> {
    let failed = |error: io::Error| {
        Failure::usage(format!(
            "cannot read the config file {}: {error}",
            path.display()
        ))
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                // In containers, the home directory often belongs to another user.
                io::ErrorKind::PermissionDenied if origin == Origin::User => Ok(None),
                _ => Err(failed(error)),
            };
        }
    };
    // A pipe may be named. Reading one that just happens to be there would block.
    if metadata.is_dir() || (origin != Origin::Named && !metadata.is_file()) {
        return Err(failed(io::Error::other("it is not a file")));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed(io::Error::other(format!(
            "it has over {MAX_BYTES} bytes"
        ))));
    }
    Ok(Some(Found {
        path: path.to_owned(),
        text,
        origin,
    }))
}
