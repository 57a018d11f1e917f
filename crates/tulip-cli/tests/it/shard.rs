//! Runs that split the machines of an instance.

use std::collections::BTreeSet;

use tulip_emulator::{Emulator, Endpoint};

use crate::support::{Bench, Ran, run};

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

fn machines(ran: &Ran) -> BTreeSet<String> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.json();
    let machines = lines
        .iter()
        .map(|line| line["machine"].as_str().unwrap().to_owned());
    machines.collect()
}

#[test]
fn every_machine_is_exported_by_exactly_one_shard() {
    let bench = fleet(12);
    let mut seen = BTreeSet::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let args = ["export", "--all", "--to", "out", "--json", "--shard", shard];
        let would = bench.run(&[&args[..], &["--dry-run"]].concat());
        let exported = machines(&bench.run(&args));
        assert_eq!(machines(&would), exported, "{shard}");
        for machine in exported {
            assert!(seen.insert(machine));
        }
    }
    assert_eq!(seen.len(), 12);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 12);
}

#[test]
fn a_pod_of_an_indexed_job_takes_the_shard_of_its_index() {
    let bench = fleet(8);
    let args = ["export", "--all", "--to", "out", "--json", "--dry-run"];
    let mut command = bench.command();
    command.env("JOB_COMPLETION_INDEX", "1");
    let of_pod = run(&mut command, &[&args[..], &["--shard", "auto/2"]].concat());
    let named = bench.run(&[&args[..], &["--shard", "2/2"]].concat());
    assert_eq!(machines(&of_pod), machines(&named));
    let without = bench.run(&[&args[..], &["--shard", "auto/2"]].concat());
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(
        without.stderr.contains("JOB_COMPLETION_INDEX is not set"),
        "{without:?}"
    );
}

#[test]
fn a_shard_without_machines_is_told_and_a_success() {
    let bench = fleet(1);
    let told: Vec<_> = ["1/2", "2/2"]
        .into_iter()
        .map(|shard| bench.run(&["export", "--all", "--to", "out", "--shard", shard]))
        .collect();
    assert!(told.iter().all(|ran| ran.code == Some(0)), "{told:?}");
    let empty = |ran: &&Ran| ran.stderr.contains("no machine is in shard");
    assert_eq!(told.iter().filter(empty).count(), 1, "{told:?}");
}

#[test]
fn a_machine_that_is_missing_is_the_failure_of_one_shard() {
    let bench = fleet(1);
    let failed = ["1/2", "2/2"].into_iter().filter(|shard| {
        let machine = bench.machine();
        let both = format!("{machine},gone");
        let args = [
            "export",
            "--machine",
            &both,
            "--to",
            "out",
            "--json",
            "--shard",
            shard,
        ];
        let ran = bench.run(&args);
        ran.json()
            .iter()
            .any(|line| line["error_kind"] == "not_found")
    });
    assert_eq!(failed.count(), 1);
}
