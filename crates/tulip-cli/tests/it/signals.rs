//! SIGINT, SIGTERM and SIGHUP, and the emulator as a process.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use tulip_emulator::{Endpoint, Fault, JobScript};

use crate::support::{Bench, bare, files, run, signal, spawn, with_default_signals};

#[test]
fn the_first_signal_ends_an_export_in_order_with_130() {
    for name in ["INT", "TERM", "HUP"] {
        let bench = Bench::start();
        let job = bench.job(JobScript::new().rows(120_000));
        bench
            .emulator
            .fail_next(Endpoint::Asset, 1, Fault::Stall { after: 4_000_000 });
        // With a state, the export would keep the bytes that have arrived, if any.
        let args = [
            "export",
            "--job",
            job.as_str(),
            "--to",
            "out",
            "--json",
            "--no-state",
            "--metrics-file",
            "tulip.prom",
        ];
        let mut child = spawn(&bench, &args);
        bench.block_on(bench.emulator.wait_for_requests(Endpoint::Asset, 1));
        signal(&child, name);
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(line["outcome"], "failed_to_store", "{line}");
        assert_eq!(line["error_kind"], "interrupted", "{line}");
        assert_eq!(line["exit_code"], 130, "{line}");
        let metrics = std::fs::read_to_string(bench.path("tulip.prom")).unwrap();
        assert!(metrics.contains("reason=\"interrupted\"} 1\n"), "{metrics}");
        assert_eq!(files(bench.folder.path()), [bench.path("tulip.prom")]);
    }
}

#[test]
fn an_interrupted_machine_export_tells_how_to_continue() {
    let bench = Bench::start();
    let pending = JobScript::new().pending_until_released();
    bench.emulator.script_next(pending);
    let machine = bench.machine();
    let mut child = spawn(
        &bench,
        &["export", "--machine", machine.as_str(), "--to", "out"],
    );
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    signal(&child, "INT");
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("to continue, run the same command again, or `tulip resume`"),
        "{stderr}"
    );
}

#[test]
fn an_interrupted_run_has_a_line_for_every_export() {
    let bench = Bench::start();
    let pending = JobScript::new().pending_until_released();
    bench.emulator.set_default_script(pending);
    let args = ["export", "--all", "--to", "out", "--json"];
    let mut child = spawn(&bench, &[&args[..], &["--max-pending", "1"]].concat());
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    signal(&child, "TERM");
    let mut stdout = String::new();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stdout}");
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["failed_to_store", "not_started", "not_started"]);
    for line in lines {
        assert_eq!(line["error_kind"], "interrupted", "{line}");
        assert_eq!(line["retryable"], true, "{line}");
    }
}

/// A shell ignores a signal and then execs the command, like `nohup`.
#[test]
fn a_signal_that_the_parent_ignores_stays_ignored() {
    for ignored in ["HUP", "INT"] {
        let bench = Bench::start();
        let job = bench.job(JobScript::new().pending_until_released());
        let tulip = assert_cmd::cargo::cargo_bin!("tulip").display().to_string();
        let script = format!(r#"trap "" {ignored}; exec "$0" export --job "$1" --to out"#);
        let credentials = bench.emulator.credentials();
        let mut child = Command::new("/bin/sh")
            .args(["-c", &script, &tulip, job.as_str()])
            .env_clear()
            .current_dir(bench.folder.path())
            .env("TULIP_STATE", bench.state.path())
            .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
            .env("TULIP_API_KEY", credentials.key())
            .env("TULIP_API_SECRET", credentials.expose_secret())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
        signal(&child, ignored);
        bench.emulator.release(&job);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{ignored}");
    }
}

/// Schedulers end a command with SIGTERM, whatever it inherits from them.
#[test]
fn sigterm_is_handled_also_where_the_parent_ignores_it() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().pending_until_released());
    let tulip = assert_cmd::cargo::cargo_bin!("tulip").display().to_string();
    let script = r#"trap "" TERM; exec "$0" status "$1" --wait"#;
    let credentials = bench.emulator.credentials();
    let mut child = Command::new("/bin/sh")
        .args(["-c", script, &tulip, job.as_str()])
        .env_clear()
        .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Another run cannot find it: nothing is remembered of an archive on stdout.
#[test]
fn an_interrupted_archive_on_stdout_names_its_job() {
    let bench = Bench::start();
    bench
        .emulator
        .script_next(JobScript::new().pending_until_released());
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", "-"];
    let mut child = spawn(&bench, &args);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    signal(&child, "INT");
    let mut said = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let job = bench.emulator.jobs()[0].id.clone();
    assert!(said.contains(&format!("--job {job} --to -")), "{said}");
}

#[test]
fn a_second_signal_quits_at_once_whatever_is_under_way() {
    let bench = Bench::start();
    // The export waits a little longer for its start, but this one is never answered.
    let stall = Fault::Stall { after: 0 };
    bench.emulator.fail_next(Endpoint::Start, 1, stall);
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", "out"];
    let mut child = spawn(&bench, &args);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Start, 1));
    signal(&child, "INT");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let stopping = said.next().unwrap().unwrap();
    assert_eq!(stopping, "stopping; press Ctrl-C again to quit immediately");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(said.next().is_none(), "it waited, and said how it ended");
    // The state that it left says that an archive may have been started.
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("may have been started"), "{ran:?}");
}

#[test]
fn waiting_for_a_job_is_interrupted_with_130() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().pending_until_released());
    let mut child = spawn(&bench, &["status", job.as_str(), "--wait"]);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn the_emulator_prints_lines_to_paste_and_serves_until_it_is_ended() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tulip"));
    let mut child = with_default_signals(&mut command)
        .args(["emulate", "--machines", "2", "--rows", "10"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .take(7);
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    let set = |prefix: &'static str| {
        let pairs = lines
            .iter()
            .filter_map(move |line| line.strip_prefix(prefix)?.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let workspace: Vec<_> = set("export ").collect();
    // The commented-out lines are set in addition to the others.
    let account: Vec<_> = set("export ").chain(set("# export ")).collect();
    assert_eq!((workspace.len(), account.len()), (3, 6));
    for variables in [workspace, account] {
        let mut command = bare();
        command.envs(variables);
        let ran = run(&mut command, &["machines", "--json"]);
        assert_eq!((ran.code, ran.json().len()), (Some(0), 2), "{ran:?}");
    }
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
