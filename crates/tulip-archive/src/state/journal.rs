//! Small files that grow by lines, each of one owner at a time, readable for their user alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A file larger than this many bytes is replaced by one with its last line.
const MOST: u64 = 1024 * 1024;

/// Creates a folder for its user alone, and what is missing above it, each of which outlasts a loss of
/// power.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| *above != Path::new(""));
    if let Some(above) = above {
        create_folder(above)?;
    }
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        created => created?,
    }
    #[cfg(unix)]
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Refuses a folder in which somebody else could put files.
#[cfg(unix)]
pub(super) fn check_owner(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(folder)?;
    let us = rustix::process::geteuid().as_raw();
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    match metadata.mode() & 0o022 {
        _ if metadata.uid() != us && metadata.uid() != 0 => {
            refused("it belongs to another user; name a folder of your own")
        }
        0 => Ok(()),
        _ => refused("others can write to it; take that right away with chmod go-w"),
    }
}

#[cfg(not(unix))]
pub(super) fn check_owner(_: &Path) -> io::Result<()> {
    Ok(())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A file of lines, of which the last one counts, and the lock on it, which ends with the process,
/// however that ends.
///
/// A line is added rather than the file replaced: to make and remove files is what file systems are
/// slowest at. A process that is killed, or a machine that loses its power, leaves the lines before the one
/// that it was at.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where a locked file cannot be read, another one beside it is locked.
    #[cfg(not(unix))]
    _lock: File,
    /// Where the next line begins.
    end: u64,
    /// Whether the name of the file outlasts a loss of power.
    is_named: bool,
}

/// What comes of asking for a file.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is ours until it is dropped, with what it holds.
    Ours(Journal, Vec<u8>),
    /// Somebody else has it.
    Busy,
    Missing,
}

impl Journal {
    /// Takes the file at `path` and what it holds. A missing one is made, if it is to be.
    pub(super) fn take(path: &Path, make: bool) -> io::Result<Taken> {
        let open = |path: &Path| options().create(make).truncate(false).open(path);
        loop {
            #[cfg(not(unix))]
            let lock = options()
                .create(true)
                .truncate(false)
                .open(path.with_extension("lock"))?;
            #[cfg(not(unix))]
            if !try_lock(&lock)? {
                return Ok(Taken::Busy);
            }
            let file = match open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !make => {
                    return Ok(Taken::Missing);
                }
                file => file?,
            };
            #[cfg(unix)]
            if !try_lock(&file)? {
                return Ok(Taken::Busy);
            }
            // The process that had it before may have removed the file since: then no other process
            // would meet this lock.
            if !is_at(&file, path)? {
                continue;
            }
            let mut content = Vec::new();
            (&file).read_to_end(&mut content)?;
            if !content.is_empty() {
                // As a process leaves it that is killed while it begins the file anew.
                remove(&renewed(path))?;
            }
            // What follows is an unfinished line.
            let end = content.iter().rposition(|byte| *byte == b'\n');
            let journal = Self {
                path: path.to_owned(),
                file,
                #[cfg(not(unix))]
                _lock: lock,
                end: end.map_or(0, |last| last as u64 + 1),
                is_named: false,
            };
            return Ok(Taken::Ours(journal, content));
        }
    }

    /// Adds a line, which is to outlast a loss of power where it is `durable`.
    pub(super) fn append(&mut self, line: &str, durable: bool) -> io::Result<()> {
        if self.end > MOST {
            return self.renew(line);
        }
        // What came of an earlier attempt is written over; what is left of that behind this line is
        // none.
        let line = format!("{line}\n");
        write_all_at(&self.file, line.as_bytes(), self.end)?;
        if durable {
            self.file.sync_data()?;
        }
        self.end += line.len() as u64;
        match durable && !self.is_named {
            true => self.sync_name(),
            false => Ok(()),
        }
    }

    /// Puts a file with this line alone in the place of this one.
    fn renew(&mut self, line: &str) -> io::Result<()> {
        let renewed = renewed(&self.path);
        let line = format!("{line}\n");
        let file = match self.replace(&renewed, &line) {
            Ok(file) => file,
            Err(error) => {
                // The old file still counts.
                let _ = remove(&renewed);
                return Err(error);
            }
        };
        self.file = file;
        self.end = line.len() as u64;
        self.is_named = false;
        self.sync_name()
    }

    fn replace(&self, renewed: &Path, line: &str) -> io::Result<File> {
        let file = options().create(true).truncate(true).open(renewed)?;
        write_all_at(&file, line.as_bytes(), 0)?;
        file.sync_data()?;
        // Locked before it has the name under which others look.
        #[cfg(unix)]
        file.try_lock()?;
        std::fs::rename(renewed, &self.path)?;
        Ok(file)
    }

    fn sync_name(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.is_named = true;
        Ok(())
    }

    /// Removes the file. That it is gone already is no error.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// What a file holds that somebody else may have at this moment.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// The lines of a file, the last one first. What has no end yet is none.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut lines = content.rsplit(|byte| *byte == b'\n');
    lines.next();
    lines.filter(|line| !line.is_empty())
}

fn renewed(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek as _, Write as _};
    file.seek(io::SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(path: &Path) -> (Journal, Vec<u8>) {
        match Journal::take(path, true).unwrap() {
            Taken::Ours(journal, content) => (journal, content),
            taken => panic!("{taken:?}"),
        }
    }

    fn last(content: &[u8]) -> Option<&str> {
        lines(content)
            .next()
            .map(|line| std::str::from_utf8(line).unwrap())
    }

    #[test]
    fn a_file_has_one_owner_and_is_gone_after_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.jsonl");
        let take = |make| Journal::take(&path, make).unwrap();
        assert!(matches!(take(false), Taken::Missing));
        let (first, _) = ours(&path);
        assert!(matches!(take(true), Taken::Busy));
        first.remove().unwrap();
        first.remove().unwrap();
        assert!(matches!(take(false), Taken::Missing));
        // The file is another one now, which the first owner does not lock.
        let (second, _) = ours(&path);
        drop(first);
        assert!(matches!(take(false), Taken::Busy));
        drop(second);
        assert!(matches!(take(false), Taken::Ours(..)));
    }

    #[test]
    fn the_last_whole_line_counts_whatever_happened_behind_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.jsonl");
        let (mut journal, content) = ours(&path);
        assert_eq!(last(&content), None);
        journal.append("one", true).unwrap();
        journal.append("two", false).unwrap();
        drop(journal);
        for torn in ["", "thr", "\0\0\0"] {
            let whole = read(&path).unwrap();
            write_all_at(
                &options().open(&path).unwrap(),
                torn.as_bytes(),
                whole.len() as u64,
            )
            .unwrap();
            assert_eq!(last(&read(&path).unwrap()), Some("two"));
        }
        let (mut journal, content) = ours(&path);
        assert_eq!(last(&content), Some("two"));
        journal.append("four", false).unwrap();
        assert_eq!(last(&read(&path).unwrap()), Some("four"));
    }

    #[test]
    fn a_file_does_not_grow_for_ever_and_keeps_its_owner() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.jsonl");
        let (mut journal, _) = ours(&path);
        let long = "x".repeat(100_000);
        for turn in 0..40 {
            journal
                .append(&format!("{turn}{long}"), turn % 7 == 0)
                .unwrap();
            let content = read(&path).unwrap();
            assert!(last(&content).unwrap().starts_with(&format!("{turn}x")));
            assert!(content.len() as u64 <= MOST + 2 * long.len() as u64);
            assert!(matches!(Journal::take(&path, true).unwrap(), Taken::Busy));
        }
        journal.remove().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let mode = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path(), mode).unwrap();
            check_owner(folder.path())
        };
        assert!(mode(0o700).is_ok() && mode(0o755).is_ok());
        for shared in [0o770, 0o707, 0o1777] {
            let error = mode(shared).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("chmod go-w"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_their_users_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::TempDir::new().unwrap();
        let below = folder.path().join("a/b");
        create_folder(&below).unwrap();
        let path = below.join("x.jsonl");
        let (mut journal, _) = ours(&path);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&below)), (0o600, 0o700));
        journal.end = MOST + 1;
        journal.append("x", false).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
