//! The folder: who may access it, and which contents cannot be used.

use tulip_archive::{StateError, StateErrorKind};
use tulip_ledger::SqliteLedger;

use crate::support::{Bench, create, id, records};

fn refused(bench: &Bench) -> StateError {
    SqliteLedger::open(bench.path()).unwrap_err()
}

#[cfg(unix)]
fn chmod(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let below = bench.path().join("a/b");
    let ledger = SqliteLedger::open(&below).unwrap();
    create(&ledger, 1, "{}").await;
    for folder in [&bench.path().join("a"), &below] {
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
    let mut files = 0;
    for entry in std::fs::read_dir(&below).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        files += 1;
    }
    // The database, its write-ahead log, the log's index, and the locked file.
    assert_eq!(files, 4);
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let bench = Bench::new();
    chmod(bench.path(), 0o770);
    let error = refused(&bench);
    assert_eq!(error.kind(), StateErrorKind::PermissionDenied);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("chmod go-w"), "{cause}");
    assert!(bench.files().is_empty());
}

#[test]
fn a_place_that_cannot_be_written_says_which() {
    let error = SqliteLedger::open("/proc/nowhere").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("cannot write the state in /proc/nowhere"),
        "{text}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let bench = Bench::new();
    create(&bench.open(), 1, "{}").await;
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let before = std::fs::read(bench.database()).unwrap();
    for error in [
        refused(&bench),
        SqliteLedger::repair(bench.path()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), StateErrorKind::NewerVersion);
        assert!(error.to_string().contains("version 99"), "{error}");
    }
    assert!(std::fs::read(bench.database()).unwrap() == before);
    assert_eq!(bench.files(), ["tulip.db"]);
}

#[tokio::test]
async fn what_is_no_database_is_told_and_left_alone() {
    let bench = Bench::new();
    std::fs::write(bench.database(), "not a database".repeat(100)).unwrap();
    let error = refused(&bench);
    assert_eq!(error.kind(), StateErrorKind::Damaged, "{error:?}");
    let left = std::fs::read_to_string(bench.database()).unwrap();
    assert!(left.starts_with("not a database"));
}

#[tokio::test]
async fn what_is_stored_outlasts_the_ledger_and_leaves_no_other_file() {
    let bench = Bench::new();
    let ledger = bench.open();
    create(&ledger, 1, "{\"a\": 1}").await;
    drop(ledger);
    assert_eq!(bench.files(), ["tulip.db"]);
    let there = records(&bench.open()).await;
    assert_eq!(there, [(id(1), "{\"a\": 1}".to_owned(), false)]);
}
