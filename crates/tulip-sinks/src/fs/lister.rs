//! The list of the keys of all files below a folder.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tulip_core::sink::{Listed, SinkError, SinkErrorKind, SinkLister};
use tulip_core::{ObjectKey, one_line};
use walkdir::{DirEntry, WalkDir};

use super::error::from_io;
use super::{blocking, names};

/// The most entries that one blocking call returns.
const BATCH: usize = 256;

/// A path is shown with at most this many characters.
const SHOWN: usize = 500;

/// Walks a folder and everything below it, following links to other folders.
pub(super) struct FileLister {
    /// `None` during a blocking call, and after a failure.
    walk: Option<Walk>,
    found: VecDeque<Listed>,
}

struct Walk {
    root: PathBuf,
    entries: walkdir::IntoIter,
}

impl FileLister {
    pub(super) fn new(root: PathBuf) -> Self {
        let entries = WalkDir::new(&root).follow_links(true).into_iter();
        Self {
            walk: Some(Walk { root, entries }),
            found: VecDeque::new(),
        }
    }
}

#[async_trait]
impl SinkLister for FileLister {
    async fn next(&mut self) -> Result<Option<Listed>, SinkError> {
        if self.found.is_empty() {
            let Some(mut walk) = self.walk.take() else {
                let what = "cannot list any more: an earlier call failed";
                return Err(SinkError::new(SinkErrorKind::Other, what));
            };
            let (walk, found) = blocking::run(move || {
                let found = walk.next_batch()?;
                Ok((walk, found))
            })
            .await?;
            self.walk = Some(walk);
            self.found = found;
        }
        Ok(self.found.pop_front())
    }
}

impl Walk {
    /// Returns the next entries, or none at the end.
    fn next_batch(&mut self) -> Result<VecDeque<Listed>, SinkError> {
        let mut found = VecDeque::new();
        while found.len() < BATCH
            && let Some(entry) = self.entries.next()
        {
            match entry {
                Ok(entry) => found.extend(self.listed(&entry)),
                Err(error) => found.extend(self.skipped(error)?),
            }
        }
        Ok(found)
    }

    fn listed(&mut self, entry: &DirEntry) -> Option<Listed> {
        let is_folder = entry.file_type().is_dir();
        if entry.depth() == 0 || (names::is_staged(entry.file_name()) && !is_folder) {
            return None;
        }
        if is_folder && entry.file_name().to_str().is_none() {
            // Nothing below it has a key either, so it is reported once.
            self.entries.skip_current_dir();
            return Some(no_key(entry.path(), "its name is not UTF-8"));
        }
        if !entry.file_type().is_file() {
            return None;
        }
        match key(&self.root, entry.path()) {
            Ok(key) => Some(Listed::Key(key)),
            Err(why) => Some(no_key(entry.path(), &why)),
        }
    }

    /// Reports an entry that cannot be read, or fails if it is the root. A missing root lists
    /// nothing.
    fn skipped(&self, error: walkdir::Error) -> Result<Option<Listed>, SinkError> {
        let path = error.path().unwrap_or(&self.root).to_owned();
        let what = format!("cannot list {}", shown(&path));
        let is_root = error.depth() == 0;
        if let Some(ancestor) = error.loop_ancestor() {
            let why = format!("it is a link back to {}", shown(ancestor));
            return Ok(Some(skipped(&path, SinkErrorKind::Other, &what, &why)));
        }
        let error = error
            .into_io_error()
            .unwrap_or_else(|| io::ErrorKind::Other.into());
        let error = match error.kind() {
            io::ErrorKind::NotFound if is_root => return Ok(None),
            io::ErrorKind::NotFound if path.is_symlink() => {
                let why = "it is a dangling link";
                return Ok(Some(skipped(&path, SinkErrorKind::NotFound, &what, why)));
            }
            // It was removed meanwhile.
            io::ErrorKind::NotFound => return Ok(None),
            _ => from_io(error, what),
        };
        match is_root {
            true => Err(error),
            false => Ok(Some(Listed::skipped(shown(&path), error))),
        }
    }
}

/// Returns the key of a file, or why it has none.
fn key(root: &Path, path: &Path) -> Result<ObjectKey, String> {
    let below = path.strip_prefix(root).unwrap_or(path);
    let mut text = String::new();
    for segment in below.components() {
        let segment = segment.as_os_str().to_str();
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(segment.ok_or("its name is not UTF-8")?);
    }
    let key = ObjectKey::new(&text).map_err(|_| "its name cannot be a key")?;
    match key.as_str() == text {
        true => Ok(key),
        false => Err("its name cannot be a key".to_owned()),
    }
}

fn no_key(path: &Path, why: &str) -> Listed {
    let what = format!("{} is no archive", shown(path));
    skipped(path, SinkErrorKind::Other, &what, why)
}

fn skipped(path: &Path, kind: SinkErrorKind, what: &str, why: &str) -> Listed {
    let advice = "move it elsewhere, or ignore it";
    let reason = SinkError::new(kind, what).with_reason(why, advice);
    Listed::skipped(shown(path), reason)
}

/// A path from outside, made fit for display.
pub(super) fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy(), SHOWN)
}
