//! Local files.

mod limits;
mod objects;
mod probe;
mod resume;
#[cfg(unix)]
mod walks;

use std::path::Path;
use std::sync::Arc;

use tulip_core::NetworkOptions;
use tulip_core::sink::{Sink, SinkRegistry, SinkUrl};
use tulip_sinks as _;

/// More than one part, and not a multiple of a part.
const LARGE: usize = 9 * 1024 * 1024 + 17;

async fn sink(folder: &Path) -> Arc<dyn Sink> {
    let url = SinkUrl::from_path(folder).unwrap();
    let registry = SinkRegistry::linked().unwrap();
    registry
        .connect(&url, &NetworkOptions::default())
        .await
        .unwrap()
}

/// Every file below `folder`, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}
