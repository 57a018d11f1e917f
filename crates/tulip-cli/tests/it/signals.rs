//! Ctrl-C and SIGTERM, and the emulator as a process.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use tulip_emulator::{Endpoint, Fault, JobScript};

use crate::support::{Bench, bare, files, run};

fn spawn(bench: &Bench, args: &[&str]) -> Child {
    let credentials = bench.emulator.credentials();
    Command::new(assert_cmd::cargo::cargo_bin!("tulip"))
        .args(args)
        .env_clear()
        .current_dir(bench.folder.path())
        .env("TULIP_STATE", bench.state.path())
        .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("/bin/sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_first_signal_ends_an_export_in_order_with_130() {
    for name in ["INT", "TERM", "HUP"] {
        let bench = Bench::start();
        let job = bench.job(JobScript::new().rows(120_000));
        bench
            .emulator
            .fail_next(Endpoint::Asset, 1, Fault::Stall { after: 9_000_000 });
        // With a state it would keep what has come by then, if anything has.
        let args = [
            "export",
            "--job",
            job.as_str(),
            "--to",
            "out",
            "--json",
            "--no-state",
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
        assert!(
            stdout.contains(r#""outcome":"failed""#) && stdout.contains("130"),
            "{stdout}"
        );
        assert_eq!(files(bench.folder.path()), Vec::<String>::new());
    }
}

#[test]
fn an_interrupted_machine_export_tells_the_job_that_goes_on() {
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
    let job = bench.emulator.jobs()[0].id.clone();
    assert!(
        stderr.contains(&format!(
            "was interrupted; the same command again goes on with its job {job}"
        )),
        "{stderr}"
    );
}

#[test]
fn a_second_signal_quits_at_once_whatever_is_under_way() {
    let bench = Bench::start();
    // A start is waited for a little longer; this one is never answered.
    let stall = Fault::Stall { after: 0 };
    bench.emulator.fail_next(Endpoint::Start, 1, stall);
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", "out"];
    let mut child = spawn(&bench, &args);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Start, 1));
    signal(&child, "INT");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let stopping = said.next().unwrap().unwrap();
    assert_eq!(stopping, "stopping; once more quits at once");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(said.next().is_none(), "it waited, and said how it ended");
    // What it left says that it is not known whether an archive was started.
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
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tulip"))
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
    // The commented lines go on top of the others.
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
