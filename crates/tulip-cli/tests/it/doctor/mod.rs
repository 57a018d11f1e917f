//! `tulip doctor`: every misconfiguration fails exactly the check that it belongs to.

mod instance;
mod machine;
mod servers;

use assert_cmd::Command;
use tulip_emulator::Endpoint;

use crate::support::{Bench, Ran, files, run};

/// The line of one check.
fn line<'a>(ran: &'a Ran, lines: &'a [serde_json::Value], check: &str) -> &'a serde_json::Value {
    let found = lines.iter().find(|line| line["check"] == check);
    found.unwrap_or_else(|| panic!("no {check}: {ran:?}"))
}

/// The checks that ended with `status`.
fn ended(lines: &[serde_json::Value], status: &str) -> Vec<String> {
    let lines = lines.iter().filter(|line| line["status"] == status);
    lines
        .map(|line| line["check"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs the doctor, which must fail only in `check`, and say `says` and what to do.
#[track_caller]
fn assert_fails(command: &mut Command, args: &[&str], check: &str, says: &str) {
    let args = [&["doctor", "--json"], args].concat();
    let ran = run(command, &args);
    let lines = ran.json();
    assert_eq!(ended(&lines, "fail"), [check], "{ran:?}");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = line(&ran, &lines, check);
    assert!(line["found"].as_str().unwrap().contains(says), "{line}");
    let advice = line["advice"].as_str();
    assert!(advice.is_some_and(|text| text.len() > 10), "{line}");
    assert!(!format!("{ran:?}").contains("p4ss"), "{ran:?}");
}

/// Runs the doctor, which must warn only in `check`, and exit with 0.
#[track_caller]
fn assert_warns(command: &mut Command, args: &[&str], check: &str, says: &str) {
    let args = [&["doctor", "--json"], args].concat();
    let ran = run(command, &args);
    let lines = ran.json();
    assert_eq!(ended(&lines, "fail"), [""; 0], "{ran:?}");
    assert_eq!(ended(&lines, "warn"), [check], "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = line(&ran, &lines, check);
    assert!(line["found"].as_str().unwrap().contains(says), "{line}");
    assert!(line["advice"].is_string(), "{line}");
}

#[test]
fn all_is_well_where_an_export_would_work_and_nothing_is_left() {
    let bench = Bench::start();
    let ran = bench.run(&["doctor", "--to", "new/out", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "15 OK, 0 warned, 0 failed, 1 skipped\n");
    let lines = ran.json();
    assert_eq!(ended(&lines, "skip"), ["write_scope"], "{ran:?}");
    // The names that scripts rely on, and every field on every line.
    let checks: Vec<_> = lines
        .iter()
        .map(|line| line["check"].as_str().unwrap())
        .collect();
    let expected = "config base_url credentials ca_file proxy connection tls api workspace \
                    read_scope write_scope clock target state ledger file_limit";
    assert_eq!(checks.join(" "), expected);
    for line in &lines {
        let fields: Vec<_> = line.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["advice", "check", "found", "status"]);
    }
    let left = std::fs::read_dir(bench.folder.path()).unwrap();
    assert_eq!(left.count(), 0);
    assert_eq!(files(bench.state.path()), [""; 0]);
    // One GET, and no start.
    let requests = bench.emulator.requests();
    assert_eq!(requests.api.len(), 1);
    assert_eq!(requests.count(Endpoint::Machines), 1);
    assert!(bench.emulator.jobs().is_empty());
}

#[test]
fn it_fits_80_columns_and_quiet_prints_what_is_wrong() {
    let bench = Bench::start();
    let mut command = bench.command();
    command.env("TULIP_WORKSPACE_ID", "ELSEWHERE");
    let ran = run(&mut command, &["doctor"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut lines = ran.stdout.lines();
    assert!(lines.all(|line| line.chars().count() <= 80), "{ran:?}");
    let secret = bench.emulator.credentials();
    assert!(!ran.stdout.contains(secret.expose_secret()));
    // The command keeps its earlier arguments.
    let ran = run(&mut command, &["-q"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let first = "FAIL  workspace    ELSEWHERE is set, but";
    assert!(ran.stdout.starts_with(first), "{ran:?}");
    assert!(!ran.stdout.contains("OK  "), "{ran:?}");
    assert_eq!(ran.stderr, "");
}
