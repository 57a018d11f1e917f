//! A state that cannot be used: exports run anyway, one warning says that they cannot be resumed,
//! and the state's content stays. If its folder was named, that is an error before anything is
//! started.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tulip_emulator::{Emulator, Endpoint, JobScript};

use crate::disks::{SmallDisk, skipped};
use crate::support::{Bench, Ran, files, run, spawn};

const EXPORT: [&str; 4] = ["export", "--all", "--to", "out"];

fn bench() -> Bench {
    Bench::of(Emulator::builder().machines(3).rows(20))
}

/// The user's own state folder.
fn own(bench: &Bench) -> PathBuf {
    bench.state.path().join("tulip")
}

/// Exports with the state in the user's own folder.
fn run_with_own(bench: &Bench, env: &[(&str, &Path)]) -> Ran {
    let mut command = bench.command();
    command
        .env_remove("TULIP_STATE")
        .env("XDG_STATE_HOME", bench.state.path())
        .envs(env.iter().copied());
    run(&mut command, &EXPORT)
}

/// Exports with the state in a folder that was named.
fn run_with_named(bench: &Bench, env: &[(&str, &Path)]) -> Ran {
    let mut command = bench.command();
    command.env("TULIP_STATE", own(bench));
    run(command.envs(env.iter().copied()), &EXPORT)
}

/// Checks that the archives are stored, and that the only warning is about the state.
#[track_caller]
fn is_exported(bench: &Bench, ran: &Ran, says: &[&str]) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let stored = files(&bench.folder.path().join("out"));
    let stored = stored.iter().filter(|file| file.ends_with(".csv"));
    assert!(stored.count() >= 3, "{ran:?}");
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{ran:?}");
    for says in says {
        assert!(ran.stderr.contains(says), "{says}: {ran:?}");
    }
}

/// Checks that the run ended before it started anything, and said what to do.
#[track_caller]
fn is_refused(bench: &Bench, ran: &Ran, says: &[&str]) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 3);
    assert!(ran.stderr.contains("hint: "), "{ran:?}");
    for says in says {
        assert!(ran.stderr.contains(says), "{says}: {ran:?}");
    }
}

#[test]
fn a_disk_that_becomes_full_costs_no_archive_and_no_second_start() {
    let bench = bench();
    let Some(disk) = SmallDisk::mount(bench.state.path()) else {
        return;
    };
    let pending = JobScript::new().pending_until_released();
    bench.emulator.set_default_script(pending);
    let mut child = spawn(&bench, &EXPORT);
    // Each job is recorded before its first status request.
    let asked = |bench: &Bench| {
        let (jobs, requests) = (bench.emulator.jobs(), bench.emulator.requests());
        let jobs = jobs
            .iter()
            .filter(|job| requests.of_job(&job.id).status > 0);
        jobs.count()
    };
    while asked(&bench) < 3 {
        std::thread::yield_now();
    }
    let filler = disk.fill();
    for job in bench.emulator.jobs() {
        bench.emulator.release(&job.id);
    }
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    let ran = Ran {
        code: child.wait().unwrap().code(),
        stdout: String::new(),
        stderr,
    };
    let says = "this run cannot be resumed later: no space is left for the state in ";
    is_exported(&bench, &ran, &[says]);
    // What was recorded is still there.
    std::fs::remove_file(filler).unwrap();
    let again = bench.run(&EXPORT);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("3 unchanged"), "{again:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 3);
    let left = bench.run(&["resume", "--list"]);
    assert_eq!((left.code, &*left.stdout), (Some(0), ""), "{left:?}");
}

#[test]
fn a_read_only_state_is_told_and_left_as_it_is() {
    let bench = bench();
    let Some(disk) = SmallDisk::mount(bench.state.path()) else {
        return;
    };
    assert_eq!(run_with_own(&bench, &[]).code, Some(0));
    let database = own(&bench).join("tulip.db");
    let before = std::fs::read(&database).unwrap();
    disk.make_read_only();
    let says = ["cannot write the state in ", "set --state or TULIP_STATE"];
    is_refused(&bench, &run_with_named(&bench, &[]), &says);
    is_exported(&bench, &run_with_own(&bench, &[]), &says);
    assert!(std::fs::read(&database).unwrap() == before);
}

#[test]
fn a_state_that_is_damaged_or_of_a_newer_version_is_told_and_left_as_it_is() {
    for (at, bytes, says) in [
        // The schema version, in SQLite's header.
        (60, vec![0, 0, 0, 99], ["newer version", "update tulip"]),
        (100, vec![0xff; 8192], ["is damaged", "tulip runs repair"]),
    ] {
        let bench = bench();
        assert_eq!(run_with_own(&bench, &[]).code, Some(0));
        let database = own(&bench).join("tulip.db");
        let mut content = std::fs::read(&database).unwrap();
        content[at..at + bytes.len()].copy_from_slice(&bytes);
        std::fs::write(&database, &content).unwrap();
        is_refused(&bench, &run_with_named(&bench, &[]), &says);
        is_exported(&bench, &run_with_own(&bench, &[]), &says);
        assert!(std::fs::read(&database).unwrap() == content, "{says:?}");
    }
}

/// No such file system is at hand, so a preloaded library makes the locking calls fail.
#[test]
fn a_file_system_without_locks_is_told_at_once() {
    let bench = bench();
    let library = bench.folder.path().join("nolocks.so");
    let source = bench.folder.path().join("nolocks.c");
    std::fs::write(&source, NO_LOCKS).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    if !compiler
        .arg("-ldl")
        .status()
        .is_ok_and(|status| status.success())
    {
        return skipped("no C compiler makes a library that has no locks");
    }
    assert_eq!(run_with_own(&bench, &[]).code, Some(0));
    let env = [("LD_PRELOAD", library.as_path())];
    let says = [
        "has no file locks",
        "name a folder on a local disk with --state",
    ];
    is_refused(&bench, &run_with_named(&bench, &env), &says);
    is_exported(&bench, &run_with_own(&bench, &env), &says);
}

const NO_LOCKS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int flock(int fd, int operation) {
    errno = ENOLCK;
    return -1;
}

static int without_locks(const char *name, int fd, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) {
        errno = ENOLCK;
        return -1;
    }
    int (*next)(int, int, void *) = dlsym(RTLD_NEXT, name);
    return next(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return without_locks("fcntl", fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return without_locks("fcntl64", fd, command, argument);
}
"#;
