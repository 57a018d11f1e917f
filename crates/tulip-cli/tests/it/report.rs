//! The HTML report that a run leaves, however it ends.

#[cfg(unix)]
use std::io::{BufRead as _, BufReader};

use tulip_core::Credentials;
use tulip_emulator::{Emulator, JobScript};

use crate::support::{Bench, run};
#[cfg(unix)]
use crate::support::{signal, spawn};

const EXPORT: [&str; 6] = ["export", "--all", "--to", "out", "--report", "run.html"];

fn page(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path("run.html")).unwrap()
}

#[test]
fn a_run_leaves_a_page_with_its_failures_and_what_its_machines_did() {
    let bench = Bench::of(Emulator::builder().machines(3).rows(20));
    let script = JobScript::new().fails("out of <disk>");
    bench.emulator.script_next_of(&bench.machine(), script);
    let ran = bench.run(&EXPORT);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let page = page(&bench);
    for needle in [
        "Some machines are not exported",
        "The job failed at Tulip: 1",
        "out of &#60;disk&#62;",
        "Timeline",
        "By the records of 2 archives",
    ] {
        assert!(page.contains(needle), "{needle} in {page}");
    }
    // A folder is shown as a path, as everywhere else.
    assert!(!page.contains("file://"), "{page}");
    assert!(page.contains(&bench.path("out")), "{page}");
}

#[cfg(unix)]
#[test]
fn the_page_of_an_interrupted_run_says_which_archives_were_not_read() {
    let bench = Bench::of(Emulator::builder().machines(2).rows(20));
    let pending = JobScript::new().pending_until_released();
    bench.emulator.script_next_of(&bench.machine(), pending);
    let mut child = spawn(&bench, &EXPORT);
    // Wait until the other machine's archive is stored.
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("exported "), "{line}");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let page = page(&bench);
    for needle in [
        "The run was interrupted",
        "By the records of 0 archives",
        "Not read, 1: archives were not read because the run was interrupted",
    ] {
        assert!(page.contains(needle), "{needle} in {page}");
    }
}

#[test]
fn a_run_without_access_leaves_a_page_that_says_so() {
    let bench = Bench::of(Emulator::builder().machines(1).rows(20));
    let wrong = Credentials::new(bench.emulator.credentials().key(), "wrong").unwrap();
    let ran = run(&mut bench.command_as(&wrong), &EXPORT);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(page(&bench).contains("The run failed before its first export"));
}
