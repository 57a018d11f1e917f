//! Exports that a run retries.

use tulip_emulator::{Emulator, Endpoint, JobScript};

use crate::support::Bench;

const ALL: [&str; 7] = [
    "export",
    "--all",
    "--to",
    "out",
    "--json",
    "--retry-delay",
    "1ms",
];

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

#[test]
fn a_job_that_failed_is_started_again_and_said_to_be() {
    let bench = fleet(3);
    let failing = bench.machine();
    let script = JobScript::new().fails("out of disk");
    bench.emulator.script_next_of(&failing, script);
    let ran = bench.run(&[&ALL[..], &["--attempts", "2"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        let attempts = if line["machine"] == failing.as_str() {
            2
        } else {
            1
        };
        assert_eq!(line["attempts"], attempts, "{line}");
        assert_eq!(line["outcome"], "stored", "{line}");
    }
    assert_eq!(
        ran.stderr.matches("; trying again in ").count(),
        1,
        "{ran:?}"
    );
    assert!(ran.stderr.contains("(attempt 2)"), "{ran:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 4);
}

#[test]
fn the_last_attempt_is_the_one_that_is_reported() {
    let bench = fleet(1);
    bench
        .emulator
        .set_default_script(JobScript::new().fails("out of disk"));
    let ran = bench.run(&[&ALL[..], &["--attempts", "3"]].concat());
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let [line] = &ran.json()[..] else {
        panic!("{ran:?}");
    };
    assert_eq!(
        (&line["attempts"], &line["outcome"]),
        (&3.into(), &"failed_at_tulip".into())
    );
    let jobs = bench.emulator.jobs();
    assert_eq!(line["job"], jobs.last().unwrap().id.as_str());
}

#[test]
fn attempts_are_at_least_one() {
    let ran = fleet(1).run(&[&ALL[..], &["--attempts", "0"]].concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
