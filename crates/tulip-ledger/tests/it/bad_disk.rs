//! File systems that are full or read-only. Tests mount them, which only root may do: without root,
//! a test reports that it was skipped.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tulip_archive::{StateErrorKind, StateStore as _};
use tulip_ledger::SqliteLedger;

use crate::support::{create, id, records};

/// How often a write is tried that is about to succeed.
const MANY_TRIES: usize = 10_000;

/// A small file system in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one, or prints why that is not possible.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=512k,mode=700", "tulip-test"];
        let mounted = Command::new("mount")
            .args(options)
            .arg(folder.path())
            .output();
        let why = match mounted {
            Ok(mounted) if mounted.status.success() => return Some(Self(folder)),
            Ok(mounted) => String::from_utf8_lossy(&mounted.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        // Bypasses the captured output, which is not shown if the test passes.
        let message = format!("skipped: cannot mount a small disk: {why}\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the remaining space.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }

    fn make_read_only(&self) {
        let options = ["-o", "remount,ro"];
        let mounted = Command::new("mount")
            .args(options)
            .arg(self.path())
            .status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_disk_that_becomes_full_fails_writes_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let ledger = SqliteLedger::open(disk.path()).unwrap();
    let claim = create(&ledger, 1, "{\"kept\": 1}").await;
    let filler = disk.fill();
    let long = format!("{{\"long\": \"{}\"}}", "x".repeat(20_000));
    let mut failed = ledger.claim(&id(2), Some(long.clone())).await;
    for number in 3.. {
        if failed.is_err() {
            break;
        }
        failed = ledger.claim(&id(number), Some(long.clone())).await;
    }
    let error = failed.unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Full, "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("no space is left for the state in "),
        "{text}"
    );
    let error = ledger.save(&claim, long.clone(), true).await.unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Full, "{error:?}");
    let kept = &records(&ledger).await[0];
    assert_eq!(*kept, (id(1), "{\"kept\": 1}".to_owned(), true));
    // Another process can open it, or gets the same error.
    if let Err(error) = SqliteLedger::open(disk.path()) {
        assert_eq!(error.kind(), StateErrorKind::Full, "{error:?}");
    }
    std::fs::remove_file(filler).unwrap();
    // A process that another test is starting can hold the filler open for a moment.
    let mut saved = ledger.save(&claim, "{\"kept\": 2}".to_owned(), true).await;
    for _ in 0..MANY_TRIES {
        if saved.is_ok() {
            break;
        }
        saved = ledger.save(&claim, "{\"kept\": 2}".to_owned(), true).await;
    }
    saved.unwrap();
    drop(ledger);
    let kept = records(&SqliteLedger::open(disk.path()).unwrap()).await;
    assert_eq!(kept[0], (id(1), "{\"kept\": 2}".to_owned(), false));
}

#[test]
fn a_full_disk_takes_no_database_and_says_so() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let filler = disk.fill();
    let error = SqliteLedger::open(disk.path()).unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Full, "{error:?}");
    // The leftovers of the failed attempt are not in the way.
    std::fs::remove_file(filler).unwrap();
    SqliteLedger::open(disk.path()).unwrap();
}

#[tokio::test]
async fn a_read_only_disk_is_told_and_left_as_it_is() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    drop(create(&SqliteLedger::open(disk.path()).unwrap(), 1, "{}").await);
    let database = disk.path().join("tulip.db");
    let before = std::fs::read(&database).unwrap();
    disk.make_read_only();
    for error in [
        SqliteLedger::open(disk.path()).unwrap_err(),
        SqliteLedger::repair(disk.path()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), StateErrorKind::PermissionDenied, "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot write the state in "), "{text}");
    }
    assert!(std::fs::read(&database).unwrap() == before);
    let empty = disk.path().join("empty");
    let error = SqliteLedger::open(&empty).unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::PermissionDenied, "{error:?}");
}
