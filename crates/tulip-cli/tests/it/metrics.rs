//! The metrics file that a run leaves for Prometheus, however it ends.

use std::collections::BTreeMap;

use tulip_core::Credentials;
use tulip_emulator::{Emulator, JobScript};

use crate::support::{Bench, files, run};

const EXPORT: [&str; 6] = [
    "export",
    "--all",
    "--to",
    "out",
    "--metrics-file",
    "tulip.prom",
];

fn fleet() -> Bench {
    Bench::of(Emulator::builder().machines(3).rows(20))
}

/// The file's samples, by name and labels without the target.
fn samples(bench: &Bench) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(bench.path("tulip.prom")).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap();
        let labels = labels.trim_end_matches('}').strip_prefix("target=\"");
        let (target, labels) = labels.unwrap().split_once('"').unwrap();
        assert!(target.ends_with("/out"), "{line}");
        (format!("{name}{labels}"), value.parse().unwrap())
    });
    samples.collect()
}

const MACHINE: &str = "tulip_machine_last_success_timestamp_seconds,";
const RUN: &str = "tulip_run_last_success_timestamp_seconds";

/// The times of last success, by machine.
fn successes(samples: &BTreeMap<String, f64>) -> Vec<f64> {
    let machines = samples.iter().filter(|(name, _)| name.starts_with(MACHINE));
    machines.map(|(_, time)| *time).collect()
}

#[test]
fn a_run_that_fails_tells_so_and_keeps_the_times_of_last_success() {
    let bench = fleet();
    assert_eq!(bench.run(&EXPORT).code, Some(0));
    let first = samples(&bench);
    assert_eq!(first["tulip_run_success"], 1.0);
    assert_eq!(first["tulip_run_exports,outcome=\"stored\""], 3.0);
    assert_eq!(first["tulip_run_stored_records"], 60.0);
    assert_eq!(successes(&first).len(), 3);
    assert!(successes(&first).iter().all(|time| *time > 1.7e9));

    let machine = bench.machine();
    let script = JobScript::new().fails("out of disk");
    bench.emulator.script_next_of(&machine, script);
    assert_eq!(bench.run(&EXPORT).code, Some(1));
    let second = samples(&bench);
    assert_eq!(second["tulip_run_success"], 0.0);
    assert_eq!(second["tulip_run_exports,outcome=\"failed_at_tulip\""], 1.0);
    assert_eq!(
        second["tulip_export_failures_total,reason=\"job_failed\""],
        1.0
    );
    assert_eq!(second["tulip_exports_total,outcome=\"stored\""], 5.0);
    assert_eq!(second[RUN], first[RUN]);
    let failed = |samples: &BTreeMap<String, f64>| {
        let label = format!("{MACHINE}machine=\"{machine}\"");
        let found = samples.iter().find(|(name, _)| name.starts_with(&label));
        *found.unwrap().1
    };
    assert_eq!(failed(&second), failed(&first));
    assert!(successes(&second).iter().sum::<f64>() > successes(&first).iter().sum());
}

#[test]
fn a_run_without_access_is_told_and_forgets_nothing() {
    let bench = fleet();
    assert_eq!(bench.run(&EXPORT).code, Some(0));
    let first = samples(&bench);
    let wrong = Credentials::new(bench.emulator.credentials().key(), "wrong").unwrap();
    let ran = run(&mut bench.command_as(&wrong), &EXPORT);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let second = samples(&bench);
    assert_eq!(second["tulip_run_success"], 0.0);
    assert_eq!(second["tulip_run_exports,outcome=\"stored\""], 0.0);
    assert!(second["tulip_run_end_timestamp_seconds"] > first["tulip_run_end_timestamp_seconds"]);
    assert_eq!(second[RUN], first[RUN]);
    assert_eq!(successes(&second), successes(&first));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_started() {
    let bench = fleet();
    let ran = bench.run(&[
        "export",
        "--all",
        "--to",
        "out",
        "--metrics-file",
        "no/x.prom",
    ]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("cannot write no/x.prom"), "{ran:?}");
    assert!(files(bench.folder.path()).is_empty());
}

#[test]
fn a_dry_run_writes_no_metrics() {
    let bench = fleet();
    assert_eq!(
        bench.run(&[&EXPORT[..], &["--dry-run"]].concat()).code,
        Some(0)
    );
    assert!(files(bench.folder.path()).is_empty());
}
