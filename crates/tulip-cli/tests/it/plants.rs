//! Untidy listings of machines.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tulip_emulator::{Emulator, Endpoint, Reply};

use crate::support::{Bench, files};

const ALL: [&str; 5] = ["export", "--all", "--to", "out", "--json"];

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

/// Makes the next listing show these machines, by id and name.
fn list(bench: &Bench, machines: impl IntoIterator<Item = (String, String)>) {
    let machines = machines.into_iter();
    list_entries(
        bench,
        machines.map(|(id, name)| json!({ "id": id, "name": name })),
    );
}

/// Makes the next listing show exactly these entries.
fn list_entries(bench: &Bench, machines: impl Iterator<Item = Value>) {
    let machines: Vec<_> = machines.collect();
    let listing = json!([{ "id": "t", "name": "CNC", "machines": machines }]);
    let reply = Reply::new(200)
        .header("content-type", "application/json")
        .body(listing.to_string());
    bench.emulator.fail_next(Endpoint::Machines, 1, reply);
}

#[test]
fn an_empty_plant_is_told_and_a_success() {
    let bench = fleet(0);
    let ran = bench.run(&ALL);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(
        ran.stderr.contains("the instance has no machines"),
        "{ran:?}"
    );
    assert!(files(bench.folder.path()).is_empty());
    let would = bench.run(&[&ALL[..], &["--dry-run"]].concat());
    assert!(would.stderr.contains("nothing to export"), "{would:?}");
}

#[test]
fn a_machine_that_was_deleted_after_the_listing_is_its_own_failure() {
    let bench = fleet(3);
    let ids = bench.emulator.machine_ids();
    let listed = ids.iter().map(|id| (id.to_string(), format!("M {id}")));
    list(
        &bench,
        listed.chain([("deleted".to_owned(), "Old mill".to_owned())]),
    );
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        let (outcome, kind) = match line["machine"] == "deleted" {
            true => ("not_started", json!("not_found")),
            false => ("stored", Value::Null),
        };
        assert_eq!(
            (&line["outcome"], &line["error_kind"]),
            (&outcome.into(), &kind),
            "{line}"
        );
        assert_eq!(line["attempts"], 1, "{line}");
    }
}

/// One unreadable entry costs one machine, not the night.
#[test]
fn a_machine_without_a_usable_id_is_its_own_failure() {
    let bench = fleet(2);
    let entries = || {
        let ids = bench.emulator.machine_ids().into_iter();
        let good = ids.map(|id| json!({ "id": id.to_string(), "name": format!("M {id}") }));
        let odd = [json!({ "id": "a/b", "name": "Mill" }), Value::Null];
        good.chain(odd).collect::<Vec<_>>().into_iter()
    };
    list_entries(&bench, entries());
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = ran.json();
    let failed = |line: &&Value| line["outcome"] == "not_started" && line["error_kind"] == "api";
    let stored = lines.iter().filter(|line| line["outcome"] == "stored");
    assert_eq!(stored.count(), 2, "{ran:?}");
    let names: Vec<_> = lines
        .iter()
        .filter(failed)
        .map(|line| &line["machine"])
        .collect();
    assert_eq!(names, ["Mill", "unknown-2"], "{ran:?}");
    assert!(ran.stdout.contains("its entry cannot be used"), "{ran:?}");
    // An export of a named machine ignores such entries, and `tulip machines` only warns of them.
    list_entries(&bench, entries());
    let good = bench.emulator.machine_ids()[0].to_string();
    let ran = bench.run(&["export", "--machine", &good, "--to", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    list_entries(&bench, entries());
    let ran = bench.run(&["machines", "--json"]);
    assert_eq!((ran.code, ran.json().len()), (Some(0), 2), "{ran:?}");
    assert!(ran.stderr.contains("\"Mill\" cannot be used"), "{ran:?}");
}

#[test]
fn a_machine_that_was_renamed_keeps_its_job_and_its_id() {
    let bench = fleet(1);
    let id = bench.machine().to_string();
    let name = ["--name", "{machine}/{machine_name}.csv"];
    for called in ["Mill 1", "Mill 1 (old)"] {
        list(&bench, [(id.clone(), called.to_owned())]);
        let ran = bench.run(&[&ALL[..], &name].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.json()[0]["machine_name"], called);
        assert_eq!(ran.json()[0]["machine"], id.as_str());
    }
    assert_eq!(files(&bench.folder.path().join("out")).len(), 4);
}

#[test]
fn ids_that_differ_only_in_case_are_two_machines() {
    let bench = fleet(1);
    let listed = ["Abc", "aBC"].map(|id| (id.to_owned(), "Mill".to_owned()));
    list(&bench, listed);
    let args = ["export", "--all", "--to", "out", "--json", "--dry-run"];
    let ran = bench.run(&[&args[..], &["--name", "{machine}.csv"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json().len(), 2, "{ran:?}");
}

#[test]
fn ten_thousand_machines_of_one_name_are_refused_quickly_and_briefly() {
    let bench = fleet(1);
    let listed = || (0..10_000).map(|nth| (format!("id{nth}"), "Mill".to_owned()));
    list(&bench, listed());
    let began = Instant::now();
    let text = [
        "export",
        "--all",
        "--to",
        "out",
        "--name",
        "{machine_name}.csv",
    ];
    let ran = bench.run(&text);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("and 9994 more"), "{ran:?}");
    assert!(ran.stderr.len() < 2_000, "{}", ran.stderr.len());
    list(&bench, listed());
    let ran = bench.run(&["export", "--machine", "Mill", "--to", "out"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("10000 machines are named"), "{ran:?}");
    assert!(ran.stderr.len() < 2_000, "{}", ran.stderr.len());
    // Quadratic work would take minutes.
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
}
