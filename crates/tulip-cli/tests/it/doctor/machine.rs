//! Faults of the target, and of this machine.

use assert_cmd::Command;
use tulip_test_s3::{KEY_ID, S3Server, S3ServerBuilder, SECRET};

use super::{assert_fails, assert_warns};
#[cfg(target_os = "linux")]
use crate::disks::SmallDisk;
use crate::support::{Bench, run};

#[test]
fn targets_that_cannot_be_used() {
    let bench = Bench::start();
    std::fs::write(bench.path("file"), "").unwrap();
    for (to, says) in [
        ("file", "is a file, not a folder"),
        ("ftp://nas/archives", "ftp"),
        ("s3://", "s3"),
    ] {
        assert_fails(&mut bench.command(), &["--to", to], "target", says);
    }
    let args = &["--to", "out", "--sink-option", "nonsense"];
    assert_fails(&mut bench.command(), args, "target", "NAME=VALUE");
}

/// A command with the keys of a store.
fn with_store(bench: &Bench, server: &S3Server) -> Command {
    let mut command = bench.command();
    command
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_ENDPOINT_URL", &server.endpoint);
    command
}

#[test]
fn stores_that_refuse() {
    let bench = Bench::start();
    let server = bench.block_on(S3Server::start());
    let to = &["--to", "s3://lake/tulip"];
    let nowhere = &["--to", "s3://nowhere/tulip"];
    assert_fails(
        &mut with_store(&bench, &server),
        nowhere,
        "target",
        "nowhere",
    );
    let mut command = with_store(&bench, &server);
    command.env("AWS_SECRET_ACCESS_KEY", "another");
    assert_fails(&mut command, to, "target", "s3://lake/tulip");
    server.refuse(|seen| (seen.method != "GET").then_some((403, "AccessDenied")));
    assert_fails(
        &mut with_store(&bench, &server),
        to,
        "target",
        "AccessDenied",
    );
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(server.open_uploads(), [""; 0]);
}

#[test]
fn a_store_without_conditional_create_is_warned_of_and_is_left_as_it_was() {
    let bench = Bench::start();
    let server = S3ServerBuilder::default().forgets_conditions();
    let server = bench.block_on(server.start());
    let to = &["--to", "s3://lake/tulip"];
    assert_warns(
        &mut with_store(&bench, &server),
        to,
        "target",
        "OK, writable",
    );
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(server.open_uploads(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn state_folders_that_cannot_be_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::start();
    std::fs::write(bench.path("file"), "").unwrap();
    let shared = bench.path("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    for (state, says) in [
        ("file/state", "cannot write the state"),
        ("/dev/null", "cannot write the state"),
        ("shared", "other users can write to it"),
    ] {
        assert_fails(
            bench.command().env("TULIP_STATE", state),
            &[],
            "state",
            says,
        );
    }
    // Without a state folder, exports work but are not remembered.
    let mut command = bench.command();
    command
        .env_remove("TULIP_STATE")
        .env_remove("XDG_STATE_HOME")
        .env("HOME", "/dev/null");
    assert_warns(
        &mut command,
        &[],
        "state",
        "an interrupted run cannot be resumed",
    );
    let ran = run(&mut command, &["--no-state", "-q"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_database_that_is_damaged_anywhere() {
    let bench = Bench::start();
    assert_eq!(bench.run(&["export", "--all", "--to", "out"]).code, Some(0));
    let database = bench.state.path().join("tulip.db");
    let root = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_item_1'";
    let page: u32 = rusqlite::Connection::open(&database)
        .unwrap()
        .query_row(root, [], |row| row.get(0))
        .unwrap();
    let page = page as usize;
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xff);
    std::fs::write(&database, bytes).unwrap();
    assert_fails(
        &mut bench.command(),
        &[],
        "ledger",
        "the database is damaged",
    );
}

/// In `/proc`, where not even root can create files.
#[cfg(target_os = "linux")]
#[test]
fn folders_that_take_no_files() {
    let bench = Bench::start();
    let command = &mut bench.command();
    assert_fails(command, &["--to", "/proc/tulip"], "target", "/proc/tulip");
    let command = &mut bench.command();
    command.env("TULIP_STATE", "/proc/tulip");
    assert_fails(command, &[], "state", "/proc/tulip");
}

#[cfg(target_os = "linux")]
#[test]
fn disks_that_are_full_or_read_only() {
    let bench = Bench::start();
    let folder = bench.folder.path().join("disk");
    let Some(disk) = SmallDisk::mount(&folder) else {
        return;
    };
    let filler = disk.fill();
    let to = &["--to", "disk"];
    assert_fails(&mut bench.command(), to, "target", "no space left");
    let mut command = bench.command();
    command.env("TULIP_STATE", &folder);
    assert_fails(&mut command, &[], "state", "No space left");
    // The doctor leaves nothing behind.
    let left = std::fs::read_dir(&folder).unwrap();
    assert_eq!(left.count(), 1);
    std::fs::remove_file(filler).unwrap();
    disk.make_read_only();
    assert_fails(
        &mut bench.command(),
        to,
        "target",
        "cannot write into the folder",
    );
    let mut command = bench.command();
    command.env("TULIP_STATE", &folder);
    assert_fails(&mut command, &[], "state", "Read-only");
}

#[test]
fn what_is_remembered_is_counted() {
    let bench = Bench::start();
    let script = tulip_emulator::JobScript::new().pending_until_released();
    let job = bench.job(script);
    let args = ["export", "--job", job.as_str(), "--to", "out"];
    let ran = bench.run(&[&args[..], &["--timeout", "50ms"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let ran = bench.run(&["doctor"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("1 unfinished export"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn limits_on_open_files_that_are_too_low() {
    let bench = Bench::start();
    let credentials = bench.emulator.credentials();
    let script = |limit: &str| {
        let mut command = Command::new("sh");
        let line = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        command
            .env_clear()
            .env("TULIP_STATE", bench.state.path())
            .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
            .env("TULIP_API_KEY", credentials.key())
            .env("TULIP_API_SECRET", credentials.expose_secret())
            .env("XDG_CONFIG_HOME", bench.path("config"))
            .current_dir(bench.folder.path())
            .args([
                "-c",
                &line,
                assert_cmd::cargo::cargo_bin!("tulip").to_str().unwrap(),
            ]);
        command
    };
    let many = &["--concurrency", "20"];
    assert_fails(&mut script("100"), many, "file_limit", "124 are needed");
    assert_warns(&mut script("150"), &[], "file_limit", "up to 200 are used");
}
