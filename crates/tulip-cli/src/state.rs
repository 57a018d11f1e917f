//! Where incomplete exports are remembered.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use tulip_archive::StateStore;

use crate::args::StateFolder;
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::values;

/// The store in the folder that is named, or in the user's own. Where the user's own cannot be had,
/// as in many containers, exports run without one, and a warning says so.
pub(crate) fn store(
    folder: &StateFolder,
    progress: &Progress,
) -> Result<Option<StateStore>, Failure> {
    if let Some(folder) = named(folder) {
        let opened = StateStore::open(folder);
        return opened.map(Some).map_err(|error| {
            Failure::usage(chain(&error)).with_hint("name a folder that can be written")
        });
    }
    let opened = match own() {
        Some(folder) => StateStore::open(folder).map_err(|error| chain(&error)),
        None => Err("no home directory".to_owned()),
    };
    match opened {
        Ok(store) => Ok(Some(store)),
        Err(cause) => {
            let hint = "set --state or TULIP_STATE to a folder that can be written, or --no-state";
            let message = format!("an interrupted run cannot be resumed: {cause}");
            progress.warn(&message, Some(hint));
            Ok(None)
        }
    }
}

/// An empty variable names none.
fn named(folder: &StateFolder) -> Option<PathBuf> {
    let named = folder.state.as_deref().map(values::unwrapped_path);
    named.filter(|path| !path.as_os_str().is_empty())
}

/// The folder in the user's state directory. A home that is no absolute path is none.
fn own() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    folder.is_absolute().then(|| folder.join("tulip"))
}
