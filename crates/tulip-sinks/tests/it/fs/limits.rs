//! Limits of memory and of the disk.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tulip_core::sink::{OpenOptions, SinkErrorKind, WriteMode};

use super::{LARGE, files, sink};
use crate::support::{bytes, key, put};

const MIB: usize = 1024 * 1024;

/// Only the parts that fit into memory are held back; all other accepted bytes are in the file.
#[tokio::test]
async fn an_absurd_size_hint_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for hint in [None, Some(1 << 50), Some(u64::MAX)] {
        let options = OpenOptions::default().with_size_hint(hint);
        let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
        let staged = folder.path().join(writer.resume_token().unwrap());
        for _ in 0..16 {
            writer.write(bytes(MIB, 1)).await.unwrap();
        }
        let written = std::fs::metadata(&staged).unwrap().len();
        assert!(written >= 10 * MIB as u64, "{written} of 16 MiB, {hint:?}");
        writer.abort().await.unwrap();
    }
}

/// A small file system in memory.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` if this process may not mount one.
    fn mount(folder: &'a Path) -> Option<Self> {
        let mount = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
        let status = Command::new("mount").args(mount).arg(folder).output();
        status
            .is_ok_and(|run| run.status.success())
            .then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_keeps_what_was_there() {
    let folder = TempDir::new().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        // Only root can mount.
        return;
    };
    let sink = sink(folder.path()).await;
    let old = bytes(100, 1);
    put(&*sink, "a.csv", &old, WriteMode::Overwrite)
        .await
        .unwrap();
    for length in [LARGE, 5 * MIB] {
        let refused = put(&*sink, "a.csv", &bytes(length, 2), WriteMode::Overwrite).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::StorageFull);
        assert!(error.to_string().contains("no space left"), "{error}");
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(std::fs::read(folder.path().join("a.csv")).unwrap(), old);
        assert_eq!(files(folder.path()).len(), 1);
    }
}

#[tokio::test]
async fn a_probe_finds_a_full_disk() {
    let folder = TempDir::new().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        return;
    };
    let full = std::fs::write(folder.path().join("all"), vec![0; 5 * MIB]);
    assert!(full.is_err());
    let sink = sink(folder.path()).await;
    let error = sink.probe(WriteMode::Overwrite).await.unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::StorageFull);
    assert_eq!(files(folder.path()).len(), 1);
}
