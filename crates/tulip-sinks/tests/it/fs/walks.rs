//! Lists and sweeps of odd folders.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tulip_core::Timestamp;
use tulip_core::sink::{Listed, SinkErrorKind};

use super::sink;

/// The keys below a folder, and the skipped entries.
async fn list(folder: &Path) -> (Vec<String>, Vec<String>) {
    let mut entries = sink(folder).await.list().await.unwrap();
    let (mut keys, mut skipped) = (Vec::new(), Vec::new());
    while let Some(entry) = entries.next().await.unwrap() {
        match entry {
            Listed::Key(key) => keys.push(key.to_string()),
            Listed::Skipped {
                location, reason, ..
            } => skipped.push(format!("{location}: {reason}")),
            other => panic!("{other:?}"),
        }
    }
    assert!(entries.next().await.unwrap().is_none());
    keys.sort();
    (keys, skipped)
}

fn write(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
}

#[tokio::test]
async fn every_file_is_listed_but_staged_ones() {
    let folder = TempDir::new().unwrap();
    let names: Vec<_> = (100..700).map(|n| format!("many/{n}.csv")).collect();
    write(
        folder.path(),
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    write(folder.path(), &["a.csv", "b/c/d.csv", ".hidden"]);
    write(
        folder.path(),
        &["b/.a.csv.00000000.partial", ".tulip-probe.00000000.partial"],
    );
    let (keys, skipped) = list(folder.path()).await;
    let mut expected = names;
    expected.extend([".hidden", "a.csv", "b/c/d.csv"].map(str::to_owned));
    expected.sort();
    assert_eq!(keys, expected);
    assert_eq!(skipped, Vec::<String>::new());
    let nowhere = list(&folder.path().join("nowhere")).await;
    assert_eq!(nowhere, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn names_that_cannot_be_keys_are_named_and_end_nothing() {
    let folder = TempDir::new().unwrap();
    let odd = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    if std::fs::write(odd(b"f\xfcnf.csv"), "x").is_err() {
        // Some file systems reject such names.
        return;
    }
    std::fs::create_dir(odd(b"\xff\xfe")).unwrap();
    std::fs::write(odd(b"\xff\xfe/1.csv"), "x").unwrap();
    std::fs::write(odd(b"\xff\xfe/2.csv"), "x").unwrap();
    std::fs::write(odd(b"back\\slash.csv"), "x").unwrap();
    std::fs::write(odd(b"\x1b[31mred\n.csv"), "x").unwrap();
    write(folder.path(), &["a.csv", "z.csv"]);
    let (keys, skipped) = list(folder.path()).await;
    assert_eq!(keys, ["a.csv", "z.csv"]);
    assert_eq!(skipped.len(), 4, "{skipped:#?}");
    let all = skipped.concat();
    assert!(
        all.contains("f\u{fffd}nf.csv") && all.contains("slash.csv"),
        "{all}"
    );
    assert!(!all.contains(char::is_control), "{all:?}");
}

#[tokio::test]
async fn a_link_back_is_named_and_ends_nothing() {
    let folder = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    write(folder.path(), &["a/1.csv", "z.csv"]);
    write(other.path(), &["2.csv"]);
    symlink(folder.path(), folder.path().join("a/back")).unwrap();
    symlink(other.path(), folder.path().join("other")).unwrap();
    symlink("nowhere", folder.path().join("dangling.csv")).unwrap();
    let (keys, skipped) = list(folder.path()).await;
    assert_eq!(keys, ["a/1.csv", "other/2.csv", "z.csv"]);
    let all = skipped.concat();
    assert_eq!(skipped.len(), 2, "{all}");
    assert!(
        all.contains("a/back: ") && all.contains("a link back to"),
        "{all}"
    );
    assert!(all.contains("dangling.csv: "), "{all}");
}

/// If this is root, who can read everything, runs the test of this name again as another user.
/// Returns whether it did.
fn ran_as_another_user(test: &str, folder: &Path) -> bool {
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return false;
    }
    let binary = folder.join("test");
    // Copied by another process: a file that this one has open for writing is inherited by the
    // processes that other tests start meanwhile, and cannot be run until these close it.
    let copied = Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&binary)
        .status();
    assert!(copied.unwrap().success());
    for path in [folder, &binary] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let run = Command::new(&binary)
        .args(["--exact", &format!("fs::walks::{test}"), "--nocapture"])
        .env("TULIP_TEST_FOLDER", folder)
        .current_dir(folder)
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let failed = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}{failed}");
    assert!(said.contains("1 passed"), "{said}");
    true
}

/// A folder of the current user, and its guard if it is new. `None` if the test has run as another
/// user.
fn own_folder(test: &str) -> Option<(PathBuf, Option<TempDir>)> {
    if let Some(folder) = std::env::var_os("TULIP_TEST_FOLDER") {
        let folder = PathBuf::from(folder).join("own");
        std::fs::create_dir(&folder).unwrap();
        return Some((folder, None));
    }
    let guard = TempDir::new().unwrap();
    let folder = guard.path().to_owned();
    (!ran_as_another_user(test, &folder)).then_some((folder, Some(guard)))
}

fn lock(folder: &Path, locked: bool) {
    let mode = if locked { 0 } else { 0o755 };
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_named_and_ends_no_list() {
    let test = "a_folder_that_cannot_be_read_is_named_and_ends_no_list";
    let Some((folder, _guard)) = own_folder(test) else {
        return;
    };
    write(&folder, &["a/1.csv", "locked/2.csv", "z.csv"]);
    let locked = folder.join("locked");
    lock(&locked, true);
    let (keys, skipped) = list(&folder).await;
    let root = sink(&locked).await.list().await.unwrap().next().await;
    lock(&locked, false);
    assert_eq!(keys, ["a/1.csv", "z.csv"]);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(skipped[0].contains("locked: cannot list "), "{skipped:?}");
    assert!(skipped[0].contains("access denied"), "{skipped:?}");
    // If nothing at all can be listed, that is an error.
    assert!(root.unwrap_err().is_permission_denied());
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_named_and_ends_no_sweep() {
    let test = "a_folder_that_cannot_be_read_is_named_and_ends_no_sweep";
    let Some((folder, _guard)) = own_folder(test) else {
        return;
    };
    let stale = ["a/.1.csv.00000000.partial", "z/.1.csv.00000000.partial"];
    write(&folder, &stale);
    write(&folder, &["locked/2.csv"]);
    let locked = folder.join("locked");
    lock(&locked, true);
    let later = SystemTime::now() + Duration::from_secs(60);
    let swept = sink(&folder).await.sweep(Timestamp::from(later)).await;
    lock(&locked, false);
    let error = swept.unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(text.contains("removed 2 staged files"), "{text}");
    assert!(text.contains("locked: permission denied"), "{text}");
    assert!(stale.iter().all(|name| !folder.join(name).exists()));
}

#[tokio::test]
async fn a_sweep_does_not_follow_links() {
    let folder = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    write(other.path(), &[".1.csv.00000000.partial"]);
    symlink(other.path(), folder.path().join("other")).unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    let swept = sink(folder.path())
        .await
        .sweep(Timestamp::from(later))
        .await;
    assert_eq!(swept.unwrap(), 0);
    assert!(other.path().join(".1.csv.00000000.partial").exists());
}
