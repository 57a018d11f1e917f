//! The state folder, which remembers runs and incomplete exports.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use tulip_archive::{StateError, StateErrorKind};
use tulip_ledger::SqliteLedger;

use crate::args::StateFolder;
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::values;

/// Opens the store in the named folder, or in the user's default one. If the default cannot be
/// used, as in many containers, warns and returns `None`: exports then run without a store.
pub(crate) fn store(
    folder: &StateFolder,
    progress: &Progress,
) -> Result<Option<SqliteLedger>, Failure> {
    let place = place(folder);
    if let Place::Named(folder) = &place {
        return match SqliteLedger::open(folder) {
            Ok(ledger) => Ok(Some(ledger)),
            Err(error) => Err(Failure::usage(chain(&error)).with_hint(hint_of(&error))),
        };
    }
    let opened = match place.path() {
        Some(folder) => {
            SqliteLedger::open(folder).map_err(|error| (chain(&error), hint_of(&error)))
        }
        None => {
            let hint = "set --state or TULIP_STATE to a folder that can be written, or --no-state";
            Err(("no home directory".to_owned(), hint))
        }
    };
    match opened {
        Ok(ledger) => Ok(Some(ledger)),
        Err((cause, hint)) => {
            let message = format!("an interrupted run cannot be resumed: {cause}");
            progress.warn(&message, Some(hint));
            Ok(None)
        }
    }
}

/// Opens the existing store; `None` if there is none. Creates nothing.
pub(crate) fn existing(folder: &StateFolder) -> Result<Option<SqliteLedger>, Failure> {
    let place = place(folder);
    let Some(folder) = place.path() else {
        return Err(Failure::usage("no state folder").with_hint("set --state or TULIP_STATE"));
    };
    if !SqliteLedger::exists(folder) {
        return Ok(None);
    }
    let opened = SqliteLedger::open(folder);
    opened
        .map(Some)
        .map_err(|error| Failure::usage(chain(&error)).with_hint(hint_of(&error)))
}

/// The state folder, and how it was chosen.
pub(crate) enum Place {
    /// Named by `--state`, `TULIP_STATE` or the config file.
    Named(PathBuf),
    /// The default, in the user's state directory.
    Own(PathBuf),
    /// There is no home directory.
    Nowhere,
}

impl Place {
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Own(path) => Some(path),
            Self::Nowhere => None,
        }
    }
}

/// Determines the state folder, without accessing it.
pub(crate) fn place(folder: &StateFolder) -> Place {
    match named(folder) {
        Some(path) => Place::Named(path),
        None => own().map_or(Place::Nowhere, Place::Own),
    }
}

/// What can be done about a state that cannot be used, in terms of the command line.
pub(crate) fn hint_of(error: &StateError) -> &'static str {
    match error.kind() {
        StateErrorKind::Full => "make space, or name another folder with --state",
        StateErrorKind::Unsupported => "name a folder on a local disk with --state",
        StateErrorKind::Damaged => "run `tulip runs repair` to keep what can still be read",
        StateErrorKind::NewerVersion => "update tulip, or name another folder with --state",
        StateErrorKind::Unavailable => "try again when the other processes have ended",
        _ => "set --state or TULIP_STATE to a folder that can be written, or --no-state",
    }
}

/// The named folder. An empty variable names none.
fn named(folder: &StateFolder) -> Option<PathBuf> {
    let named = folder.state.as_deref().map(values::unwrapped_path);
    named.filter(|path| !path.as_os_str().is_empty())
}

/// The folder in the user's state directory. A relative home directory counts as none.
fn own() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    folder.is_absolute().then(|| folder.join("tulip"))
}
