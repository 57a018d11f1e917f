//! Folders that a check creates.

use std::path::{Path, PathBuf};

/// A folder and its ancestors, as far as they are missing. On drop, those that have been created
/// since and are empty are removed.
#[derive(Debug)]
pub(super) struct MissingFolders(Vec<PathBuf>);

impl MissingFolders {
    pub(super) fn of(folder: &Path) -> Self {
        let missing = folder.ancestors().take_while(|folder| {
            !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err()
        });
        Self(missing.map(Path::to_owned).collect())
    }
}

impl Drop for MissingFolders {
    fn drop(&mut self) {
        // The innermost comes first. A folder that is not empty is in use.
        let _ = self.0.iter().try_for_each(std::fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_folders_are_removed_unless_somebody_has_used_them() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b/c");
        let missing = MissingFolders::of(&inner);
        std::fs::create_dir_all(&inner).unwrap();
        drop(missing);
        assert!(!folder.path().join("a").exists() && folder.path().exists());
        let missing = MissingFolders::of(&inner);
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join("a/b/used"), "").unwrap();
        drop(missing);
        assert!(folder.path().join("a/b/used").exists() && !inner.exists());
    }
}
