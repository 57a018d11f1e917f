//! The folder of the state: its user's alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder for its user alone, and what is missing above it, each of which outlasts a loss
/// of power.
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

/// Has the names in a folder outlast a loss of power.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Refuses a folder in which somebody else could put files.
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

/// Creates a file that only its user can read, unless it is there. A file that is there is not
/// opened: closing it would end locks that this process has on it.
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
