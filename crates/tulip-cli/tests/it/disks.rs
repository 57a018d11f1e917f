//! File systems that are full or read-only. Only root may mount them: for other users, a test says
//! that it was skipped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says why a test is skipped. Bypasses captured output, which is not shown for tests that pass.
pub(crate) fn skipped(why: &str) {
    let message = format!("skipped: {why}\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
}

/// A small in-memory file system, mounted over a folder.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one over `folder`, or says why that is not possible.
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=512k,mode=700", "tulip-test"];
        let mounted = Command::new("mount").args(options).arg(folder).output();
        let why = match mounted {
            Ok(mounted) if mounted.status.success() => return Some(Self(folder.to_owned())),
            Ok(mounted) => String::from_utf8_lossy(&mounted.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        skipped(&format!("cannot mount a small disk: {why}"));
        None
    }

    /// Uses up all space that is left, with a file that can be removed.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }

    pub(crate) fn make_read_only(&self) {
        let options = ["-o", "remount,ro"];
        let mounted = Command::new("mount").args(options).arg(&self.0).status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
