//! Where open exports are remembered.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;
use tulip_archive::StateStore;

use crate::args::StateFolder;
use crate::failure::{Failure, chain};
use crate::progress::Progress;

/// The store in the folder that is named, or in the user's own. That the user's own cannot be had
/// ends nothing: a container may have none.
pub(crate) fn store(
    folder: &StateFolder,
    progress: &Progress,
) -> Result<Option<StateStore>, Failure> {
    if let Some(folder) = named(folder) {
        let opened = StateStore::open(folder);
        return opened
            .map(Some)
            .map_err(|error| Failure::usage(chain(&error)));
    }
    let Some(folder) = own() else {
        tracing::info!(
            "there is no home directory, so nothing is remembered; --state names a folder"
        );
        return Ok(None);
    };
    match StateStore::open(folder) {
        Ok(store) => Ok(Some(store)),
        Err(error) => {
            let cause = chain(&error);
            progress.say(&format!(
                "warning: an interrupted run cannot be resumed: {cause}"
            ));
            Ok(None)
        }
    }
}

/// An empty variable names none.
fn named(folder: &StateFolder) -> Option<PathBuf> {
    let named = folder.state.as_ref().filter(|path| !path.is_empty());
    named.map(PathBuf::from)
}

fn own() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Some(folder.join("tulip"))
}
