//! A probe of the target folder for everything that a commit needs.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tulip_core::sink::{Capabilities, SinkError, SinkErrorKind, staged_name};

use super::destination::rename_new;
use super::error::from_io;
use super::options::CAPABILITIES;
use super::staged_file::remove;
use super::{folder, names, sys};

/// If a file system has no locks, files older than this were left by a killed probe: a probe takes
/// milliseconds.
const STALE: Duration = Duration::from_secs(3600);

/// How often a probe is tried: another probe can take our files for those of a killed one and
/// remove them between their creation and their lock.
const ATTEMPTS: u32 = 5;

/// Returns what the file system of `folder` can do. Creates the folder if it is missing.
pub(super) fn probe(folder: &Path) -> Result<Capabilities, SinkError> {
    let mut attempt = 1;
    loop {
        match probe_once(folder) {
            Err(error) if error.is_not_found() && attempt < ATTEMPTS => attempt += 1,
            probed => return probed,
        }
    }
}

fn probe_once(folder: &Path) -> Result<Capabilities, SinkError> {
    let failed = |what: &str| {
        let what = format!("cannot {what} {}", folder.display());
        move |error| from_io(error, what)
    };
    if fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
        let what = format!("the target {} is a file, not a folder", folder.display());
        return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
    }
    folder::create(folder).map_err(failed("create the folder"))?;
    remove_stale(folder);
    let mut files = ProbeFiles::new(folder);
    files.create().map_err(failed("write into the folder"))?;
    let ignores_case = files.is_there_in_upper_case();
    let renamed = fs::rename(&files.first, &files.second);
    renamed.map_err(failed("rename a file in the folder"))?;
    let creates = files.tries_create_only();
    let creates = creates.map_err(failed("rename a file in the folder"))?;
    // Both syncs come last, one after the other, so that a busy disk is waited for only once.
    files.sync().map_err(failed("write into the folder"))?;
    folder::sync(folder).map_err(failed("sync the folder"))?;
    let ignores_unicode_form = files.is_there_in_another_unicode_form();
    let removed = files.remove();
    removed.map_err(failed("remove a file from the folder"))?;
    let mut capabilities = CAPABILITIES;
    capabilities.atomic_create = creates;
    capabilities.ignores_case = ignores_case;
    capabilities.ignores_unicode_form = ignores_unicode_form;
    Ok(capabilities)
}

/// The files of one probe, removed when this is dropped. Their locks show other probes that this
/// one is alive. Their names look staged, so that nobody takes them for archives, and a sweep
/// removes them.
struct ProbeFiles {
    folder: PathBuf,
    unique: u32,
    first: PathBuf,
    second: PathBuf,
    locked: Vec<File>,
}

impl ProbeFiles {
    fn new(folder: &Path) -> Self {
        let unique = fastrand::u32(..);
        let path = |name: &str| folder.join(staged_name(name, unique));
        Self {
            first: path(&names::PROBE[1..]),
            second: path(&format!("{}-2", &names::PROBE[1..])),
            folder: folder.to_owned(),
            unique,
            locked: Vec::new(),
        }
    }

    fn create(&mut self) -> io::Result<()> {
        let mut file = File::create_new(&self.first)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            // Another probe is about to remove it.
            return Err(io::ErrorKind::NotFound.into());
        }
        file.write_all(b"probe")?;
        self.locked.push(file);
        Ok(())
    }

    /// Syncs the file that was created last.
    fn sync(&self) -> io::Result<()> {
        self.locked.last().map_or(Ok(()), File::sync_all)
    }

    /// Whether a file can be given a name only if that name is free. This also detects a file
    /// system that replaces a file anyway. `second` must exist.
    fn tries_create_only(&mut self) -> io::Result<bool> {
        self.create()?;
        match rename_new(&self.first, &self.second) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(false),
            Err(error) => return Err(error),
            Ok(()) => return Ok(false),
        }
        remove(&self.second)?;
        rename_new(&self.first, &self.second).map(|()| true)
    }

    fn is_there_in_upper_case(&self) -> bool {
        let name = self.first.file_name().unwrap_or_default();
        let upper = name.to_ascii_uppercase();
        fs::symlink_metadata(self.folder.join(upper)).is_ok()
    }

    /// Whether "é" as one character and as two characters is the same name. A file system that
    /// refuses such names does not mix them up either.
    fn is_there_in_another_unicode_form(&self) -> bool {
        let path = |letter: &str| {
            let name = format!("{}-{letter}", &names::PROBE[1..]);
            self.folder.join(staged_name(&name, self.unique))
        };
        let composed = path("\u{e9}");
        let created = File::create_new(&composed);
        let found = created.is_ok() && fs::symlink_metadata(path("e\u{301}")).is_ok();
        let _ = remove(&composed);
        found
    }

    fn remove(&self) -> io::Result<()> {
        remove(&self.first).and_then(|()| remove(&self.second))
    }
}

impl Drop for ProbeFiles {
    fn drop(&mut self) {
        // Only needed after a failure, which is reported; after a success the files are gone.
        let _ = self.remove();
    }
}

/// Removes the files of killed probes.
fn remove_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if names::is_probe(&entry.file_name()) && is_stale(&entry.path()).unwrap_or(false) {
            let _ = remove(&entry.path());
        }
    }
}

/// Whether no process holds the lock of a probe file any more, or, without locks, it is too old.
fn is_stale(path: &Path) -> io::Result<bool> {
    let file = sys::open_without_links(path)?;
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(_)) => {
            let age = file.metadata()?.modified()?.elapsed();
            Ok(age.is_ok_and(|age| age > STALE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_replaces_in_spite_of_all_is_no_create_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = ProbeFiles::new(folder.path());
        files.create().unwrap();
        // Nothing has the second name, so the rename succeeds, as if it had replaced a file.
        fs::remove_file(&files.first).unwrap();
        assert!(!files.tries_create_only().unwrap());
    }

    #[test]
    fn a_probe_leaves_nothing_and_says_what_the_file_system_can() {
        let folder = tempfile::tempdir().unwrap();
        let found = probe(folder.path()).unwrap();
        assert!(found.lookup && found.read && found.resume);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let twin = folder.path().join("TWIN");
        fs::write(folder.path().join("twin"), "x").unwrap();
        assert_eq!(found.ignores_case, twin.exists());
    }
}
