//! A reader who follows a page in an empty folder beside a clone of the repository.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::markdown::Block;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The folder for a page's crates. It is a workspace, so that they share one lock file and do not
/// join the repository's own.
pub(crate) struct Reader {
    folder: PathBuf,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("printed");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(REPOSITORY, folder.join("tulip-archive")).unwrap();
        let manifest = "[workspace]\nresolver = \"3\"\nexclude = [\"tulip-archive\"]\n";
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        // Pins the versions that the repository's own build has downloaded.
        let lock = Path::new(REPOSITORY).join("Cargo.lock");
        fs::copy(lock, folder.join("Cargo.lock")).unwrap();
        Self { folder }
    }

    /// Runs the commands that create a page's crates, in one shell, as its reader would.
    pub(crate) fn set_up(&self, blocks: &[Block]) {
        let commands: Vec<_> = blocks
            .iter()
            .filter(|block| block.sets_up_a_crate())
            .map(|block| block.text.as_str())
            .collect();
        self.run("bash", ["-euc", &commands.concat()]);
    }

    /// Puts a block into the file that it names.
    pub(crate) fn paste(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs cargo, which must succeed and must not warn.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        let said = self.run(env!("CARGO"), arguments);
        assert!(!said.contains("warning"), "{said}");
    }

    /// Runs a program with its own target folder: in a shared one, its builds and the repository's
    /// would undo each other.
    fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> String {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("printed-target");
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{printed}");
        said
    }
}
