//! Windows, with the standard library alone.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::FileExt as _;
use std::path::Path;

/// Opens an existing file for reading and writing, but not through a link.
pub(crate) fn open_without_links(path: &Path) -> io::Result<File> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    OpenOptions::new().read(true).write(true).open(path)
}

pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whether this is a regular file. Its owner and other names are not known here.
pub(crate) fn is_our_own(metadata: &Metadata) -> bool {
    metadata.is_file()
}

/// Whether both may be of the same file: their sizes and creation times are equal.
pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    let told = |metadata: &Metadata| (metadata.len(), metadata.created().ok());
    told(one) == told(other)
}

/// Always 0: files have no number here.
pub(crate) fn file_number(_: &Metadata) -> u64 {
    0
}

pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                at += written as u64;
            }
        }
    }
    Ok(())
}

/// Does nothing: here a file's own sync covers its folder entry.
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Always fails: there is no such call here.
pub(crate) fn rename_no_replace(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Whether a hard link failed because the file system has no hard links.
pub(crate) fn has_no_links(error: &io::Error) -> bool {
    // FAT reports an invalid function.
    is_unsupported(error) || error.raw_os_error() == Some(1)
}
