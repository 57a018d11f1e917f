//! Messages on stderr, and when there are none.

use tulip_emulator::{Emulator, Endpoint, Fault, JobScript, Reply};

use crate::support::{Bench, bare, elsewhere, refusing, run};

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
    // Requested output is still printed.
    assert_eq!(quiet(&["machines"]).stdout.lines().count(), 4);
    let ran = quiet(&["export", "--all", "--to", "again", "--json"]);
    assert_eq!((ran.json().len(), ran.stderr.as_str()), (3, ""));
    let job = bench.job(JobScript::new());
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let ran = quiet(&["export", "--job", job.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
}

#[test]
fn what_is_not_found_is_named_once() {
    let bench = Bench::start();
    let machine = bench.machine();
    let gone = Fault::Reply(Reply::error(404, "NotFound", "it is gone"));
    bench.emulator.fail_next(Endpoint::Start, 1, gone);
    let not_started = format!(
        ": could not start archive: machine {machine} not found (HTTP 404); \
         Tulip says: it is gone; errorCode NotFound"
    );
    for (args, words) in [
        (
            &["export", "--machine", machine.as_str(), "--to", "out"][..],
            not_started.as_str(),
        ),
        (
            &["export", "--job", "nosuch", "--to", "out"],
            "error: could not get the status of job nosuch: job nosuch not found (HTTP 404); ",
        ),
        (
            &["status", "nosuch"],
            "error: job nosuch not found (HTTP 404); ",
        ),
    ] {
        let ran = bench.run(args);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
        assert!(ran.stderr.contains("\nhint: check the id"), "{ran:?}");
    }
}

#[test]
fn a_retry_is_a_warning_of_one_line() {
    let bench = Bench::start();
    let busy = Fault::Reply(Reply::busy(500));
    bench
        .emulator
        .fail_next(Endpoint::Machines, 1, busy.clone());
    let ran = bench.run(&["machines"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = "warning: GET /machines: server error (HTTP 500), retry 1/5 in 0.";
    assert!(ran.stderr.starts_with(line), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    // As JSON, it has fields.
    bench.emulator.fail_next(Endpoint::Machines, 1, busy);
    let ran = bench.run(&["machines", "--log-format", "json"]);
    let line: serde_json::Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["endpoint"], "GET /machines");
    assert_eq!(line["fields"]["status"], 500);
}

#[test]
fn a_refused_connection_says_so_and_what_to_check() {
    let bench = Bench::start();
    let mut command = bench.command();
    let base = format!("http://{}", refusing());
    let ran = run(&mut command, &["status", "j", "--base-url", &base]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines: Vec<_> = ran.stderr.lines().collect();
    let retry = "warning: GET /machines/archive/csv/j: connection refused, retry 1/5 in ";
    assert!(lines[0].starts_with(retry), "{ran:?}");
    let [.., error, hint] = lines.as_slice() else {
        panic!("{ran:?}");
    };
    let failed = "error: GET /machines/archive/csv/j: could not connect after 6 attempts in ";
    assert!(error.starts_with(failed), "{error}");
    assert!(error.ends_with(" s: connection refused"), "{error}");
    assert!(hint.starts_with("hint: check the base URL"), "{hint}");
}

#[test]
fn verify_says_what_is_wrong_with_an_archive() {
    let bench = Bench::start();
    let ran = bench.run(&["export", "--all", "--to", "out", "--name", "{machine}.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let machines = bench.emulator.machine_ids();
    let file = |at: usize| bench.path(&format!("out/{}.csv", machines[at]));
    let mut bytes = std::fs::read(file(0)).unwrap();
    bytes.extend_from_slice(b"x\n");
    std::fs::write(file(0), &bytes).unwrap();
    std::fs::remove_file(file(1)).unwrap();
    let ran = bench.run(&["verify", "out"]);
    let mut lines: Vec<_> = ran.stdout.lines().collect();
    lines.sort_unstable();
    let mut expected = [
        format!(
            "{}: size mismatch: {}, expected {}",
            file(0),
            bytes.len(),
            bytes.len() - 2
        ),
        format!("{}: missing", file(1)),
        format!("{}: intact", file(2)),
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let counts = "1 OK, 1 mismatched, 1 missing, 0 without a receipt\n";
    assert_eq!(ran.stderr, counts);
    // With `-q` it says what is wrong and nothing else.
    let ran = bench.run(&["verify", "out", "-q"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    assert_eq!(ran.stderr, "");
}

#[cfg(unix)]
#[test]
fn a_run_that_cannot_be_resumed_says_so_once() {
    let bench = Bench::start();
    let mut command = bench.command();
    // No folder can be created there.
    command
        .env_remove("TULIP_STATE")
        .env_remove("XDG_STATE_HOME")
        .env("HOME", "/dev/null");
    let ran = run(&mut command, &all());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let warning = "warning: an interrupted run cannot be resumed: ";
    assert!(ran.stderr.starts_with(warning), "{ran:?}");
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains("hint: set --state"), "{ran:?}");
}

#[test]
fn a_target_that_is_checked_shows_its_options_and_no_secret() {
    let bench = Bench::start();
    let ran = bench.run(&["sinks", "check", "out"]);
    assert!(
        ran.stdout
            .ends_with("/out: OK, writable; supports lookup, conditional create, read, resume\n"),
        "{ran:?}"
    );
    std::fs::create_dir(bench.path("empty")).unwrap();
    let target = format!("file://{}?part_size=8MiB", bench.path("empty"));
    let ran = run(&mut bare(), &["verify", &target]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let error = format!("error: nothing to verify in {target}\n");
    assert!(ran.stderr.starts_with(&error), "{ran:?}");
}
