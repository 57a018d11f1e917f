//! The state folder, which is private to its user.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder and its missing parents, private to the user. The folders survive a power
/// failure.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| *above != Path::new(""));
    if let Some(above) = above {
        create(above)?;
    }
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        created => created?,
    }
    sync(above.unwrap_or(Path::new(".")))
}

/// Syncs a folder, so that the names in it survive a power failure.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Refuses a folder in which other users could create files.
#[cfg(unix)]
pub(crate) fn check_owner(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(folder)?;
    let us = rustix::process::geteuid().as_raw();
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    match metadata.mode() & 0o022 {
        _ if metadata.uid() != us && metadata.uid() != 0 => {
            refused("it belongs to another user; name a folder of your own")
        }
        0 => Ok(()),
        _ => refused("other users can write to it; run chmod go-w"),
    }
}

#[cfg(not(unix))]
pub(crate) fn check_owner(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Creates a file that only its user can read. Returns `None` if it exists: it is not opened,
/// because closing it would release this process's locks on it.
pub(crate) fn create_private(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}
