//! A file that is written whole or not at all.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The maximum number of bytes that are read back from an earlier file.
const MAX_READ: u64 = 64 << 20;

/// A file that replaces an earlier one when a command ends.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    /// A path beside the file, with a name that `*.prom` and `*.html` do not match.
    staged: PathBuf,
}

impl OutputFile {
    /// Checks that the file can be written, so that a mistake shows before hours of work, not after
    /// them.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        let failed = |why: io::Error| {
            let message = format!("cannot write {}: {why}", path.display());
            Failure::usage(message).with_hint("name a file in a folder that can be written")
        };
        if path.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let name = path.file_name();
        let name = name.ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let staged = format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id());
        let file = Self {
            path: path.to_owned(),
            staged: path.with_file_name(staged),
        };
        let tried = File::create(&file.staged).and_then(|_| std::fs::remove_file(&file.staged));
        tried.map_err(failed)?;
        Ok(file)
    }

    /// The content of the earlier file; empty if there is none. Invalid UTF-8 is replaced.
    pub(crate) fn read(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(MAX_READ).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes the file with the permissions of the umask: node_exporter runs as another user.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        let written = self.stage(text);
        let written = written.and_then(|()| std::fs::rename(&self.staged, &self.path));
        if written.is_err() {
            // The first error is the one to report.
            let _ = std::fs::remove_file(&self.staged);
        }
        written
    }

    fn stage(&self, text: &str) -> io::Result<()> {
        let mut file = File::create(&self.staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

impl std::fmt::Display for OutputFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = OutputFile::prepare(&folder.path().join("tulip.prom")).unwrap();
        assert_eq!(file.read().unwrap(), "");
        for text in ["one\n", "two\n"] {
            file.write(text).unwrap();
            assert_eq!(file.read().unwrap(), text);
        }
        let names = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path().to_owned(),
            folder.path().join("missing/tulip.prom"),
        ] {
            let failure = OutputFile::prepare(&path).unwrap_err();
            assert!(failure.to_string().contains("cannot write"), "{failure}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_kept_and_the_new_one_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tulip.prom");
        let file = OutputFile::prepare(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("x"), "").unwrap();
        assert!(file.write("text").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
