//! What the command says on stderr, and when it says nothing.

use tulip_emulator::{Emulator, Endpoint, JobScript};

use crate::support::{Bench, elsewhere};

fn all() -> [&'static str; 4] {
    ["export", "--all", "--to", "out"]
}

#[test]
fn a_run_ends_with_a_summary_on_stderr() {
    let bench = Bench::start();
    let ran = bench.run(&all());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("3 exported, "), "{last}");
    assert!(last.contains(" kB in "), "{last}");
    assert_eq!(ran.stdout.lines().count(), 3, "{ran:?}");
}

#[test]
fn a_summary_counts_every_way_to_end() {
    let bench = Bench::of(Emulator::builder().machines(1));
    let [good, bad] = [JobScript::new(), JobScript::new().fails("out of disk")];
    let (good, bad) = (bench.job(good), bench.job(bad));
    let args = ["export", "--to", "out", "--job", good.as_str()];
    let ran = bench.run(&args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let args = [&args[..], &[bad.as_str()]].concat();
    let ran = bench.run(&args);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("1 unchanged, 1 failed in "), "{ran:?}");
}

#[test]
fn a_quiet_run_prints_errors_and_nothing_else() {
    let bench = Bench::start();
    let quiet = |args: &[&str]| bench.run(&[args, &["-q"]].concat());
    let ran = quiet(&all());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = quiet(&["verify", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    // What is asked for is printed.
    assert_eq!(quiet(&["machines"]).stdout.lines().count(), 4);
    let ran = quiet(&["export", "--all", "--to", "again", "--json"]);
    assert_eq!((ran.json().len(), ran.stderr.as_str()), (3, ""));
    let job = bench.job(JobScript::new());
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let ran = quiet(&["export", "--job", job.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
}
