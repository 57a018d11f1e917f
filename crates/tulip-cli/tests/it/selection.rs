//! Which machines a command line selects, and what a dry run says about them.

use serde_json::{Value, json};
use tulip_emulator::{Emulator, Endpoint, Reply};

use crate::support::{Bench, Ran, files, run};

/// An instance with machines of these names. The last one has its own type.
fn bench(names: &[&str]) -> Bench {
    let bench = Bench::of(Emulator::builder().machines(names.len()).rows(5));
    list(&bench, names);
    bench
}

/// Makes the next listing show the machines under these names.
fn list(bench: &Bench, names: &[&str]) {
    let ids = bench.emulator.machine_ids();
    let machines: Vec<_> = ids
        .iter()
        .zip(names)
        .map(|(id, name)| json!({ "id": id, "name": name }))
        .collect();
    let (last, others) = machines.split_last().unwrap();
    let listing = json!([
        { "id": "t1", "name": "CNC", "machines": others },
        { "id": "t2", "name": "Press", "machines": [last] },
    ]);
    let reply = Reply::new(200)
        .header("content-type", "application/json")
        .body(listing.to_string());
    bench.emulator.fail_next(Endpoint::Machines, 1, reply);
}

const EXPORT: [&str; 4] = ["export", "--to", "out", "--json"];

fn export(bench: &Bench, args: &[&str]) -> Ran {
    bench.run(&[&EXPORT[..], args].concat())
}

#[track_caller]
fn names(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut names: Vec<_> = ran
        .json()
        .iter()
        .map(|line| line["machine_name"].clone())
        .collect();
    names.sort_by_key(ToString::to_string);
    names
}

const NAMES: [&str; 4] = ["Mill 1", "Mill 2", "Saw", "Press 1"];

#[test]
fn machines_are_selected_by_id_name_type_and_glob() {
    let id = bench(&NAMES).emulator.machine_ids()[2].to_string();
    for (args, expected) in [
        (&["--machine", "Mill 1,Saw"][..], &["Mill 1", "Saw"][..]),
        (
            &["--machine", "Mill 1", "--machine", &id],
            &["Mill 1", "Saw"],
        ),
        (&["--machine-type", "Press"], &["Press 1"]),
        (
            &["--all", "--machine-type", "CNC,t2", "--exclude", "Mill*"],
            &["Press 1", "Saw"],
        ),
        (
            &["--include", "Mill*", "--include", "Saw"],
            &["Mill 1", "Mill 2", "Saw"],
        ),
        (&["--exclude", "CNC"], &["Press 1"]),
    ] {
        let bench = bench(&NAMES);
        assert_eq!(names(&export(&bench, args)), expected, "{args:?}");
    }
}

#[test]
fn machines_come_from_a_file_or_stdin() {
    let list = "\u{feff}# Hall 2\r\n\r\n Mill 2 \r\nSaw\r\n";
    let bench = bench(&NAMES);
    std::fs::write(bench.path("machines.txt"), list).unwrap();
    let ran = export(&bench, &["--machines-from", "machines.txt"]);
    assert_eq!(names(&ran), ["Mill 2", "Saw"]);
    self::list(&bench, &NAMES);
    let mut command = bench.command();
    command.write_stdin(list);
    let from_stdin = ["--machines-from", "-", "--machine", "Press 1"];
    let ran = run(&mut command, &[&EXPORT[..], &from_stdin].concat());
    assert_eq!(names(&ran), ["Mill 2", "Press 1", "Saw"]);
}

#[test]
fn a_file_that_names_no_machine_selects_none_and_not_all() {
    let bench = bench(&NAMES);
    std::fs::write(bench.path("empty.txt"), "# nothing\n").unwrap();
    std::fs::write(bench.path("binary.txt"), [0xff, 0xfe, 0]).unwrap();
    for (file, says) in [
        ("empty.txt", "empty.txt: it names no machine"),
        ("binary.txt", "binary.txt: "),
        ("gone.txt", "gone.txt: "),
    ] {
        let ran = export(&bench, &["--machines-from", file]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}

#[test]
fn an_ambiguous_name_lists_the_candidates() {
    let bench = bench(&["Mill", "Saw", "Mill"]);
    let ran = export(&bench, &["--machine", "Mill"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let ids = bench.emulator.machine_ids();
    for id in [&ids[0], &ids[2]] {
        assert!(ran.stderr.contains(id.as_str()), "{ran:?}");
    }
    assert!(ran.stderr.contains("name the machine by its id"), "{ran:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}

#[test]
fn a_machine_that_is_gone_is_its_own_failure() {
    let bench = bench(&NAMES);
    let ran = export(&bench, &["--machine", "Mill 1", "gone"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 2);
    let gone = lines.iter().find(|line| line["machine"] == "gone").unwrap();
    assert_eq!(gone["error_kind"], "not_found");
    assert_eq!(gone["exit_code"], 4);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
}

#[test]
fn a_selection_without_machines_says_what_was_looked_for() {
    for (args, says) in [
        (
            &["--machine", "Mill 7"][..],
            "no machine has the id or name \"Mill 7\"",
        ),
        (
            &["--include", "Lathe*"],
            "matching \"Lathe*\" (of 4 machines",
        ),
        (&["--machine-type", "Oven"], "of type \"Oven\""),
    ] {
        let bench = bench(&NAMES);
        let ran = export(&bench, args);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
        assert!(ran.stderr.contains("hint: `tulip machines`"), "{ran:?}");
        assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
    }
}

#[test]
fn a_source_is_required_and_jobs_stand_alone() {
    let bench = bench(&NAMES);
    for args in [
        &[][..],
        &["--job", "j", "--include", "x"],
        &["--job", "j", "--all"],
        &["--all", "--machine", "x"],
        &["--include", "Mill["],
    ] {
        let ran = export(&bench, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_dry_run_starts_nothing_and_writes_nothing() {
    let bench = bench(&NAMES);
    let ran = export(&bench, &["--all", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(
            (&line["action"], &line["job"]),
            (&json!("start"), &Value::Null)
        );
        assert!(
            line["location"].as_str().unwrap().ends_with("/JOB.csv"),
            "{line}"
        );
    }
    assert!(
        ran.stderr
            .contains("dry run: 4 to start; nothing was changed"),
        "{ran:?}"
    );
    let requests = bench.emulator.requests();
    assert_eq!(
        (requests.api.len(), requests.count(Endpoint::Machines)),
        (1, 1)
    );
    assert!(!bench.folder.path().join("out").exists());
    assert!(files(bench.state.path()).is_empty());
}

/// Names that people give can contain blanks and slashes, unlike ids.
#[test]
fn a_machine_that_was_renamed_does_not_end_the_run_of_the_others() {
    for renamed in ["Mill 99", "Line 1/Press", "Séchoir 2"] {
        let bench = bench(&NAMES);
        let ran = export(&bench, &["--machine", "Mill 1", renamed]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let lines = ran.json();
        assert_eq!(lines.len(), 2, "{ran:?}");
        let failed = lines.iter().find(|line| line["error_kind"] == "not_found");
        let error = failed.unwrap()["error"].as_str().unwrap();
        assert!(error.contains(renamed), "{error}");
        assert!(lines.iter().any(|line| line["outcome"] == "stored"));
    }
}

#[test]
fn a_dry_run_tells_what_would_be_kept_and_what_would_fail() {
    let bench = bench(&NAMES);
    let args = ["--name", "{machine}.csv", "--if-exists", "skip"];
    let first = export(&bench, &[&["--machine", "Saw"][..], &args].concat());
    assert_eq!(first.code, Some(0), "{first:?}");
    list(&bench, &NAMES);
    let text = [
        "export",
        "--to",
        "out",
        "--machine",
        "Saw",
        "Mill 1",
        "gone",
        "--dry-run",
    ];
    let ran = bench.run(&[&text[..], &args].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said: Vec<_> = ran.stdout.lines().collect();
    assert!(said[0].starts_with("would keep ") && said[0].ends_with(": already exists"));
    assert!(
        said[1].starts_with("would start machine \"Mill 1\" ("),
        "{ran:?}"
    );
    assert!(said[2].starts_with("would fail: machine gone: "), "{ran:?}");
    assert!(
        ran.stderr
            .contains("1 to start, 1 to keep, 1 that would fail"),
        "{ran:?}"
    );
}

#[test]
fn a_dry_run_refuses_keys_that_collide() {
    let bench = bench(&NAMES);
    let ran = export(&bench, &["--all", "--name", "{date}.csv", "--dry-run"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("would both be stored as"), "{ran:?}");
}
