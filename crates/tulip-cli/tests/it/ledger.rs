//! Runs in the ledger: continued, mutually exclusive, retried, listed and forgotten.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;

use serde_json::{Value, json};
use tulip_core::MachineId;
use tulip_emulator::{Emulator, Endpoint, JobScript, Reply};

use crate::support::{Bench, Ran, files, signal, spawn};

const ALL: [&str; 4] = ["export", "--all", "--to", "out"];

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

/// A plant with one machine whose job stays pending until it is released.
fn with_slow(machines: usize) -> (Bench, MachineId) {
    let bench = fleet(machines);
    let slow = bench.emulator.machine_ids().last().unwrap().clone();
    let script = JobScript::new().pending_until_released();
    bench.emulator.script_next_of(&slow, script);
    (bench, slow)
}

/// Reads `lines` lines of a run's `--json` output: then that many of its exports have ended.
fn wait_for_lines(child: &mut Child, lines: usize) {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..lines {
        assert!(stdout.read_line(&mut String::new()).unwrap() > 0);
    }
    child.stdout = Some(stdout.into_inner());
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

fn release(bench: &Bench, machine: &MachineId) {
    let jobs = bench.emulator.jobs().into_iter();
    for job in jobs.filter(|job| job.machine == *machine) {
        bench.emulator.release(&job.id);
    }
}

fn runs(bench: &Bench) -> Vec<Value> {
    let ran = bench.run(&["runs", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()
}

#[track_caller]
fn only(bench: &Bench) -> Value {
    let mut runs = runs(bench);
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

#[track_caller]
fn manifest(bench: &Bench) -> Value {
    let names = files(&bench.folder.path().join("out/_runs"));
    assert_eq!(names.len(), 1, "{names:?}");
    serde_json::from_slice(&std::fs::read(&names[0]).unwrap()).unwrap()
}

#[test]
fn a_killed_run_is_continued_and_exports_nothing_twice() {
    let (bench, slow) = with_slow(4);
    let args = [&ALL[..], &["--json"]].concat();
    let mut killed = spawn(&bench, &args);
    wait_for_lines(&mut killed, 3);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = only(&bench);
    assert_eq!(left["status"], "killed");
    assert_eq!(
        (&left["open"], &left["counts"]["stored"]),
        (&1.into(), &3.into())
    );
    release(&bench, &slow);
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let id = left["run"].as_str().unwrap();
    let said = format!("continuing run {id} of ");
    assert!(ran.stderr.contains(&said), "{ran:?}");
    assert!(ran.stderr.contains("3 of 4 exports are done"), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 1, "{ran:?}");
    assert_eq!(
        (&lines[0]["machine"], &lines[0]["run"]),
        (&slow.as_str().into(), &id.into())
    );
    for machine in bench.emulator.machine_ids() {
        assert_eq!(bench.emulator.requests().starts(&machine), 1);
    }
    let whole = only(&bench);
    assert_eq!(
        (&whole["run"], &whole["status"]),
        (&id.into(), &"complete".into())
    );
    let manifest = manifest(&bench);
    assert_eq!(
        (&manifest["run"], &manifest["whole"]),
        (&id.into(), &true.into())
    );
    assert_eq!(manifest["counts"]["stored"], 4);
    // The next night is another run.
    assert_eq!(bench.run(&args).json().len(), 4);
    assert_eq!(runs(&bench).len(), 2);
}

#[test]
fn a_continued_run_exports_again_what_is_no_longer_at_the_target() {
    let (bench, slow) = with_slow(4);
    let args = [&ALL[..], &["--json"]].concat();
    let mut killed = spawn(&bench, &args);
    wait_for_lines(&mut killed, 3);
    killed.kill().unwrap();
    killed.wait().unwrap();
    release(&bench, &slow);
    std::fs::remove_dir_all(bench.folder.path().join("out")).unwrap();
    let ran = bench.run(&args);
    assert_eq!((ran.code, ran.json().len()), (Some(0), 4), "{ran:?}");
    assert!(ran.stderr.contains("3 archives that this run"), "{ran:?}");
    let manifest = manifest(&bench);
    assert_eq!(
        (&manifest["whole"], &manifest["counts"]["stored"]),
        (&true.into(), &4.into())
    );
    assert_eq!(bench.run(&["verify", "out"]).code, Some(0));
}

#[test]
fn an_interrupted_run_is_continued_and_its_manifest_replaced() {
    let (bench, slow) = with_slow(3);
    let args = [&ALL[..], &["--json"]].concat();
    let mut child = spawn(&bench, &args);
    wait_for_lines(&mut child, 2);
    signal(&child, "INT");
    let ran = ended(child);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let left = only(&bench);
    assert_eq!(left["status"], "interrupted");
    let before = manifest(&bench);
    assert_eq!(
        (&before["run"], &before["whole"]),
        (&left["run"], &false.into())
    );
    release(&bench, &slow);
    assert_eq!(bench.run(&args).code, Some(0));
    let after = manifest(&bench);
    assert_eq!(
        (&after["run"], &after["whole"]),
        (&left["run"], &true.into())
    );
}

#[test]
fn a_run_that_its_time_limit_ends_is_continued() {
    let (bench, slow) = with_slow(2);
    let args = [&ALL[..], &["--json"]].concat();
    let ran = bench.run(&[&args[..], &["--run-timeout", "1s"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let left = only(&bench);
    assert_eq!(left["status"], "stopped", "{left}");
    release(&bench, &slow);
    let ran = bench.run(&args);
    assert_eq!((ran.code, ran.json().len()), (Some(0), 1), "{ran:?}");
    assert_eq!(bench.emulator.requests().starts(&slow), 1);
    assert_eq!(only(&bench)["run"], left["run"]);
}

#[test]
fn an_earlier_run_is_left_alone_where_that_is_asked_for() {
    let (bench, slow) = with_slow(2);
    let mut killed = spawn(&bench, &[&ALL[..], &["--json"]].concat());
    wait_for_lines(&mut killed, 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    release(&bench, &slow);
    let ran = bench.run(&[&ALL[..], &["--json", "--resume-within", "0"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json().len(), 2);
    let runs = runs(&bench);
    let status: Vec<_> = runs
        .iter()
        .map(|run| run["status"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["complete", "killed"]);
    // Nor is it continued afterwards: a later run of the same command is complete.
    assert_eq!(bench.run(&[&ALL[..], &["--json"]].concat()).json().len(), 2);
}

#[test]
fn two_runs_do_not_export_the_same_machines_to_the_same_target_at_a_time() {
    let (bench, slow) = with_slow(3);
    let first = spawn(
        &bench,
        &["export", "--machine", slow.as_str(), "--to", "out"],
    );
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    let refused = bench.run(&[&ALL[..], &["--json"]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.stdout, "");
    let who = format!("process {} on ", first.id());
    for part in [
        "another run has been exporting to ",
        "/out since 20",
        &who,
        "add --wait",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    // Other machines, and other targets, are free.
    let other = bench.machine();
    let apart = bench.run(&["export", "--machine", other.as_str(), "--to", "out"]);
    assert_eq!(apart.code, Some(0), "{apart:?}");
    let elsewhere = bench.run(&["export", "--machine", slow.as_str(), "--to", "elsewhere"]);
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:?}");
    release(&bench, &slow);
    let ran = ended(first);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn one_folder_is_one_target_in_every_spelling() {
    let (bench, slow) = with_slow(1);
    let export = |to| bench.run(&["export", "--machine", slow.as_str(), "--to", to]);
    let first = spawn(
        &bench,
        &["export", "--machine", slow.as_str(), "--to", "out"],
    );
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    let out = bench.path("out");
    std::fs::create_dir_all(&out).unwrap();
    std::os::unix::fs::symlink(&out, bench.path("link")).unwrap();
    for to in [&*format!("file://{out}/"), "link", "./out//"] {
        let refused = export(to);
        assert_eq!(refused.code, Some(1), "{to}: {refused:?}");
        assert!(
            refused.stderr.contains("another run has been exporting"),
            "{refused:?}"
        );
    }
    release(&bench, &slow);
    assert_eq!(ended(first).code, Some(0));
    assert_eq!(bench.emulator.requests().starts(&slow), 1);
}

#[test]
fn a_run_under_way_has_not_failed() {
    let (bench, slow) = with_slow(2);
    let mut first = spawn(&bench, &[&ALL[..], &["--json"]].concat());
    wait_for_lines(&mut first, 1);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    let run = only(&bench);
    assert_eq!(
        (&run["status"], &run["ended"]),
        (&"running".into(), &Value::Null)
    );
    assert_eq!(
        (&run["open"], &run["counts"]["stored"]),
        (&1.into(), &1.into())
    );
    for outcome in ["not_started", "failed_at_tulip", "failed_to_store"] {
        assert_eq!(run["counts"][outcome], 0, "{run}");
    }
    let page = bench.path("run.html");
    assert_eq!(bench.run(&["report", "--html", &page]).code, Some(0));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        !page.contains("What failed"),
        "it shows what is under way as failed"
    );
    release(&bench, &slow);
    assert_eq!(ended(first).code, Some(0));
}

#[test]
fn a_run_waits_for_another_where_that_is_asked_for() {
    let (bench, slow) = with_slow(1);
    let export = ["export", "--machine", slow.as_str(), "--to", "out"];
    let first = spawn(&bench, &export);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    let mut second = spawn(&bench, &[&export[..], &["--wait"]].concat());
    let mut stderr = BufReader::new(second.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(
        said.contains("waiting: another run has been exporting to "),
        "{said}"
    );
    release(&bench, &slow);
    assert_eq!(ended(first).code, Some(0));
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(ended(second).code, Some(0), "{said}");
    assert_eq!(bench.emulator.requests().starts(&slow), 2);
    assert_eq!(runs(&bench).len(), 2);
}

#[test]
fn what_a_run_has_not_stored_is_exported_again_as_a_part_of_it() {
    let bench = fleet(3);
    let failing = bench.machine();
    let script = JobScript::new().fails("out of disk");
    bench.emulator.script_next_of(&failing, script);
    assert_eq!(bench.run(&ALL).code, Some(1));
    let first = only(&bench);
    assert_eq!(first["status"], "incomplete");
    let shown = bench.run(&["runs", "show"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        "2 stored, 1 failed at Tulip",
        "failed_at_tulip",
        "out of disk",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {shown:?}");
    }
    assert!(shown.stderr.contains("--retry-failed"), "{shown:?}");
    let retry = ["export", "--to", "out", "--json", "--retry-failed"];
    let would = bench.run(&[&retry[..], &["--dry-run"]].concat());
    assert_eq!(would.json().len(), 1, "{would:?}");
    // A loader may have taken what the run has stored.
    let taken = bench.emulator.machine_ids()[1].to_string();
    std::fs::remove_dir_all(bench.folder.path().join("out").join(taken)).unwrap();
    let ran = bench.run(&retry);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("exporting again"), "{ran:?}");
    let lines = ran.json();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["machine"], failing.as_str());
    let whole = only(&bench);
    assert_eq!(
        (&whole["run"], &whole["status"]),
        (&first["run"], &"complete".into())
    );
    let manifest = manifest(&bench);
    assert_eq!(
        (&manifest["whole"], &manifest["counts"]["stored"]),
        (&true.into(), &3.into())
    );
    let id = first["run"].as_str().unwrap();
    let again = bench.run(&[&retry[..], &[id]].concat());
    assert_eq!((again.code, &*again.stdout), (Some(0), ""), "{again:?}");
    assert!(again.stderr.contains("nothing to retry"), "{again:?}");
    for machine in bench.emulator.machine_ids() {
        let starts = if machine == failing { 2 } else { 1 };
        assert_eq!(bench.emulator.requests().starts(&machine), starts);
    }
}

#[test]
fn a_retry_takes_what_never_ran_and_tells_which_machines_are_gone() {
    let bench = fleet(8);
    let refused = Reply::error(403, "Forbidden", "not this machine");
    bench.emulator.fail_next(Endpoint::Start, 5, refused);
    // Five that fail in the same way stop the run.
    let ran = bench.run(&[&ALL[..], &["--concurrency", "1", "--max-pending", "1"]].concat());
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let first = only(&bench);
    assert_eq!(first["status"], "stopped");
    assert!(first["open"].as_u64().unwrap() >= 1, "{first}");
    let ids = bench.emulator.machine_ids();
    let (gone, listed) = ids.split_first().unwrap();
    let listed = listed
        .iter()
        .map(|id| json!({"id": id.as_str(), "name": "Mill"}));
    let listing = json!([{"id": "t", "name": "CNC", "machines": listed.collect::<Vec<_>>()}]);
    let reply = Reply::new(200)
        .header("content-type", "application/json")
        .body(listing.to_string());
    bench.emulator.fail_next(Endpoint::Machines, 1, reply);
    let ran = bench.run(&["export", "--to", "out", "--json", "--retry-failed", "last"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = ran.json();
    let stored = first["counts"]["stored"].as_u64().unwrap() as usize;
    assert_eq!(lines.len(), 8 - stored, "{lines:?}");
    let missing = lines.iter().find(|line| line["machine"] == gone.as_str());
    assert_eq!(missing.unwrap()["error_kind"], "not_found");
    let others = lines.iter().filter(|line| line["outcome"] == "stored");
    assert_eq!(others.count(), 7 - stored);
}

#[test]
fn a_run_that_is_not_there_or_went_elsewhere_is_not_retried() {
    let bench = fleet(1);
    let retry = ["export", "--to", "out", "--retry-failed"];
    let ran = bench.run(&retry);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("no run is remembered"), "{ran:?}");
    assert_eq!(bench.run(&ALL).code, Some(0));
    let id = only(&bench)["run"].as_str().unwrap().to_owned();
    for (args, expected) in [
        (
            vec!["export", "--to", "other", "--retry-failed"],
            "no run of this instance to this target is remembered",
        ),
        (
            vec!["export", "--to", "other", "--retry-failed", &id],
            "/out, not ",
        ),
        (
            vec![
                "export",
                "--to",
                "out",
                "--name",
                "{machine}.csv",
                "--retry-failed",
            ],
            "leave --name out",
        ),
        (
            vec!["export", "--to", "out", "--retry-failed", "1999"],
            "there is no run \"1999\"",
        ),
        (vec!["runs", "show", "1999"], "there is no run \"1999\""),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    let both = bench.run(&[&retry[..], &["--all"]].concat());
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn runs_are_listed_shown_and_forgotten() {
    let bench = fleet(2);
    let empty = bench.run(&["runs"]);
    assert_eq!((empty.code, &*empty.stdout), (Some(0), ""), "{empty:?}");
    assert!(files(bench.state.path()).is_empty(), "a list makes nothing");
    for _ in 0..2 {
        assert_eq!(bench.run(&ALL).code, Some(0));
    }
    let listed = bench.run(&["runs"]);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(lines[0].starts_with("RUN "), "{listed:?}");
    assert_eq!(lines.len(), 3);
    let runs = runs(&bench);
    assert!(runs[0]["started"].as_str() >= runs[1]["started"].as_str());
    let id = runs[1]["run"].as_str().unwrap();
    let shown = bench.run(&["runs", "show", &id[..id.len() - 1], "--json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let shown = shown.json().remove(0);
    assert_eq!(shown["run"], *id);
    let exports = shown["exports"].as_array().unwrap();
    assert_eq!(exports.len(), 2);
    for export in exports {
        assert_eq!(
            (&export["outcome"], &export["records"]),
            (&"stored".into(), &20.into())
        );
    }
    let kept = bench.run(&["runs", "prune"]);
    assert_eq!((kept.code, &*kept.stdout), (Some(0), ""), "{kept:?}");
    let pruned = bench.run(&[
        "runs",
        "prune",
        "--older-than",
        "0",
        "--keep",
        "1",
        "--json",
    ]);
    assert_eq!(pruned.json().len(), 1, "{pruned:?}");
    assert_eq!(pruned.json()[0]["run"], *id);
    assert_eq!(only(&bench)["run"], runs[0]["run"]);
    assert_eq!(files(&bench.folder.path().join("out/_runs")).len(), 2);
}

#[test]
fn without_a_state_no_run_is_kept_and_none_excluded() {
    let (bench, slow) = with_slow(1);
    let export = [
        "export",
        "--machine",
        slow.as_str(),
        "--to",
        "out",
        "--no-state",
    ];
    let first = spawn(&bench, &export);
    bench.block_on(bench.emulator.wait_for_requests(Endpoint::Status, 1));
    let ran = bench.run(&[&export[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()[0]["run"], Value::Null);
    release(&bench, &slow);
    assert_eq!(ended(first).code, Some(0));
    assert!(files(bench.state.path()).is_empty());
}

#[test]
fn an_earlier_run_has_a_report_that_compares_it_with_those_before() {
    let bench = fleet(3);
    let failing = bench.machine();
    assert_eq!(bench.run(&ALL).code, Some(0));
    let script = JobScript::new().fails("out of disk");
    bench.emulator.script_next_of(&failing, script);
    let ran = bench.run(&[&ALL[..], &["--report", "run.html"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let ran = bench.run(&["report", "--html", "later.html"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(bench.folder.path().join(name)).unwrap();
    let (at_once, later) = (read("run.html"), read("later.html"));
    for page in [&at_once, &later] {
        for part in [
            "Some machines are not exported",
            "out of disk",
            "Nights",
            "/out",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("file:///"), "{page}");
    }
    let first = runs(&bench)[1]["run"].as_str().unwrap().to_owned();
    assert_eq!(
        bench.run(&["report", &first, "--html", "first.html"]).code,
        Some(0)
    );
    let page = read("first.html");
    assert!(page.contains(&first) && page.contains("Every machine is exported"));
    // A page cannot replace a folder, and an unknown run has no page.
    assert_eq!(bench.run(&["report", "--html", "out"]).code, Some(2));
    assert_eq!(
        bench.run(&["report", "1999", "--html", "x.html"]).code,
        Some(2)
    );
}

#[test]
fn a_killed_run_has_a_report() {
    let (bench, _) = with_slow(2);
    let mut killed = spawn(&bench, &[&ALL[..], &["--json"]].concat());
    wait_for_lines(&mut killed, 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let ran = bench.run(&["report", "--html", "killed.html"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let page = std::fs::read_to_string(bench.folder.path().join("killed.html")).unwrap();
    assert!(page.contains("The run has not ended"), "{page}");
    assert!(
        page.contains("the run ended before this export did"),
        "{page}"
    );
}
