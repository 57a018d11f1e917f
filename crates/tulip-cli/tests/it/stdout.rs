//! `tulip export --to -`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::support::{Bench, files};

const LARGE: u64 = 120_000;

#[test]
fn an_archive_goes_to_stdout_and_all_else_to_stderr_and_the_receipt() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().rows(LARGE));
    let receipt = bench.path("receipt.json");
    let ran = bench.run(&[
        "export",
        "--job",
        job.as_str(),
        "--to",
        "-",
        "--receipt",
        &receipt,
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.as_bytes() == bench.emulator.content(&job).unwrap().to_bytes());
    assert!(
        ran.stderr.contains("exported stdout (120000 records, "),
        "{}",
        ran.stderr
    );
    let receipt: serde_json::Value =
        serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
    assert_eq!(receipt["job"], job.as_str());
    assert_eq!(receipt["bytes"], ran.stdout.len());
    assert_eq!(files(bench.folder.path()), [bench.path("receipt.json")]);
}

#[test]
fn a_machine_has_its_archive_started_and_no_receipt_is_needed() {
    let bench = Bench::start();
    let machine = bench.machine().to_string();
    let ran = bench.run(&["export", "--machine", &machine, "--to", "-", "-q"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.lines().count() > 1);
    assert_eq!(ran.stderr, "");
    assert_eq!(files(bench.folder.path()), Vec::<String>::new());
    assert_eq!(files(bench.state.path()), Vec::<String>::new());
}

#[test]
fn what_is_no_archive_writes_nothing() {
    let bench = Bench::start();
    let page = Reply::html(200, "<html><body>Sign in</body></html>");
    let job = bench.job(JobScript::new().asset_always(page));
    let ran = bench.run(&["export", "--job", job.as_str(), "--to", "-"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_download_that_starts_over_fails_and_writes_no_second_copy() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().rows(LARGE).without_ranges());
    let cut = Fault::Cut { after: 3_000_000 };
    bench.emulator.fail_next(Endpoint::Asset, 1, cut);
    let ran = bench.run(&["export", "--job", job.as_str(), "--to", "-"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the download started over after"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("discard the output"), "{}", ran.stderr);
    let whole = bench.emulator.content(&job).unwrap().to_bytes();
    assert!(ran.stdout.len() <= 3_000_000 && whole.starts_with(ran.stdout.as_bytes()));
    assert_eq!(files(bench.state.path()), Vec::<String>::new());
}

#[test]
fn a_reader_that_leaves_ends_it_without_a_word() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().rows(LARGE));
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tulip"));
    let set = bench.command();
    let set = set
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut child = command
        .env_clear()
        .envs(set)
        .args(["export", "--job", job.as_str(), "--to", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut head = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut head).unwrap();
    drop(reader);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{said}");
    assert_eq!(said, "");
    assert!(head.contains(','), "{head}");
}

#[test]
fn what_does_not_go_with_stdout_is_a_usage_error() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new()).to_string();
    let other = bench.job(JobScript::new()).to_string();
    let one = ["export", "--job", &job, "--to", "-"];
    for (args, words) in [
        (
            vec!["export", "--all", "--to", "-"],
            "takes one archive, and 3 are selected",
        ),
        (
            vec!["export", "--job", &job, &other, "--to", "-"],
            "and 2 are selected",
        ),
        ([&one[..], &["--json"]].concat(), "both write to stdout"),
        (
            [&one[..], &["--manifest", "always"]].concat(),
            "--manifest cannot be used with --to -",
        ),
        (
            [&one[..], &["--if-exists", "skip"]].concat(),
            "cannot tell whether an object exists",
        ),
        (
            vec!["export", "--job", &job, "--to", "out", "--receipt", "r"],
            "--to -",
        ),
        (
            [&one[..], &["--receipt", "missing/r.json"]].concat(),
            "cannot write missing/r.json",
        ),
        (vec!["verify", "-"], "cannot list"),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}
