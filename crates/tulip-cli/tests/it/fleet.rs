//! Many machines in one run: the failure of one does not affect the others.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tulip_core::Scope;
use tulip_emulator::{ContentFault, Emulator, Endpoint, JobScript, Reply, TokenKind};

use crate::support::{Bench, Ran, files, run};

const FIELDS: [&str; 20] = [
    "attempts",
    "bytes",
    "ended",
    "error",
    "error_kind",
    "error_unique_id",
    "exit_code",
    "has_receipt",
    "job",
    "location",
    "machine",
    "machine_name",
    "outcome",
    "phases",
    "receipt",
    "records",
    "retries",
    "retryable",
    "run",
    "started",
];

/// Returns the lines of a run, which must each have exactly the documented fields.
#[track_caller]
fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.json();
    for line in &lines {
        let fields: BTreeSet<_> = line.as_object().unwrap().keys().collect();
        assert!(fields.iter().copied().eq(FIELDS.iter()), "{line}");
    }
    lines
}

fn with<'a>(lines: &'a [Value], field: &str, value: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line[field] == value).collect()
}

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

/// Makes the next listing show the instance's machines under these names.
fn rename(bench: &Bench, names: &[&str]) {
    let ids = bench.emulator.machine_ids();
    assert_eq!(ids.len(), names.len());
    let machines = ids.iter().zip(names);
    let machines: Vec<_> = machines
        .map(|(id, name)| json!({ "id": id, "name": name }))
        .collect();
    let listing = json!([{ "id": "t", "name": "CNC", "machines": machines }]);
    let reply = Reply::new(200)
        .header("content-type", "application/json")
        .body(listing.to_string());
    bench.emulator.fail_next(Endpoint::Machines, 1, reply);
}

const ALL: [&str; 5] = ["export", "--all", "--to", "out", "--json"];

#[test]
fn one_machine_that_is_refused_ends_none_of_the_others() {
    let bench = fleet(12);
    let refusal = Reply::error(403, "Forbidden", "not this machine");
    bench.emulator.fail_next(Endpoint::Start, 1, refusal);
    let ran = bench.run(&[&ALL[..], &["--concurrency", "2"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(lines.len(), 12);
    assert_eq!(with(&lines, "outcome", "stored").len(), 11);
    let [failed] = with(&lines, "outcome", "not_started")[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(failed["error_kind"], "permission_denied");
    assert_eq!(
        (&failed["exit_code"], &failed["retryable"]),
        (&json!(3), &json!(false))
    );
    assert!(failed["error_unique_id"].is_string(), "{failed}");
    assert!(failed["machine"].is_string() && failed["machine_name"].is_string());
}

#[test]
fn failed_jobs_and_bad_archives_are_their_machines_own() {
    let bench = fleet(8);
    let machines = bench.emulator.machine_ids();
    for (at, script) in [
        JobScript::new().fails("out of disk"),
        JobScript::new().truncated(100),
        JobScript::new().fails_silently(),
    ]
    .into_iter()
    .enumerate()
    {
        bench.emulator.script_next_of(&machines[at], script);
    }
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(with(&lines, "outcome", "stored").len(), 5);
    assert_eq!(with(&lines, "error_kind", "job_failed").len(), 2);
    assert_eq!(with(&lines, "outcome", "failed_at_tulip").len(), 2);
    assert_eq!(with(&lines, "outcome", "failed_to_store").len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_its_machines_own() {
    let bench = fleet(3);
    std::fs::create_dir(bench.path("out")).unwrap();
    std::fs::write(bench.path(&format!("out/{}", bench.machine())), "a file").unwrap();
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(with(&lines, "outcome", "stored").len(), 2);
    let [failed] = with(&lines, "outcome", "failed_to_store")[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (&failed["machine"], &failed["exit_code"]),
        (&json!(bench.machine()), &json!(5))
    );
}

#[test]
fn a_run_ends_early_once_the_first_exports_all_fail_in_the_same_way() {
    let bench = fleet(9);
    let reader = bench
        .emulator
        .issue_token(TokenKind::Workspace, &[Scope::MachinesRead])
        .unwrap();
    let args = [&ALL[..], &["--max-pending", "1"]].concat();
    let ran = run(&mut bench.command_as(&reader), &args);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 5);
    let lines = lines(&ran);
    assert_eq!(with(&lines, "outcome", "not_started").len(), 9);
    let left = lines.iter().filter(|line| line["attempts"] == 0);
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), 4);
    for line in left {
        assert_eq!(line["error_kind"], "permission_denied");
        assert!(
            line["error"].as_str().unwrap().contains("first 5 exports"),
            "{line}"
        );
        assert!(
            line["machine"].is_string() && line["job"].is_null(),
            "{line}"
        );
    }
    assert!(ran.stderr.contains("4 exports were not started"), "{ran:?}");
}

#[test]
fn refused_credentials_end_a_run_at_the_listing() {
    let bench = fleet(9);
    let stranger = tulip_core::Credentials::new("apikey.2_nobody", "s3cret").unwrap();
    let ran = run(&mut bench.command_as(&stranger), &ALL);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran:?}");
    assert_eq!(bench.emulator.requests().api.len(), 1);
}

#[test]
fn a_name_that_is_too_long_is_shortened_and_the_others_are_exported() {
    let bench = fleet(3);
    let long = format!("Presse {}", "長".repeat(70));
    rename(&bench, &["Mill 1", &long, "Mill 3"]);
    let ran = bench.run(&[&ALL[..], &["--name", "{machine_name}.csv"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let stored = files(&bench.folder.path().join("out"));
    let archives: Vec<_> = stored
        .iter()
        .filter(|file| file.ends_with(".csv"))
        .collect();
    assert_eq!(archives.len(), 3, "{stored:?}");
    assert!(
        archives
            .iter()
            .any(|file| file.contains("/Presse 長") && file.contains('~')),
        "{stored:?}"
    );
}

#[test]
fn a_key_that_cannot_be_used_is_the_failure_of_its_machine() {
    let bench = fleet(3);
    // Even shortened, five folders of this name exceed the length of a key.
    let long = "x".repeat(300);
    rename(&bench, &["Mill 1", &long, "Mill 3"]);
    let name = "{machine_name}/{machine_name}/{machine_name}/{machine_name}/{machine_name}/a.csv";
    let ran = bench.run(&[&ALL[..], &["--name", name]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(with(&lines, "outcome", "stored").len(), 2);
    let [failed] = with(&lines, "outcome", "not_started")[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(failed["error_kind"], "invalid_request");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
}

#[track_caller]
fn refused_before_any_start(bench: &Bench, names: &[&str], name: &str, says: &[&str]) {
    rename(bench, names);
    let args = [&ALL[..], &["--name", name]].concat();
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for says in says {
        assert!(ran.stderr.contains(says), "{says}: {ran:?}");
    }
    assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
    let lines = lines(&ran);
    assert_eq!(with(&lines, "outcome", "not_started").len(), names.len());
    assert!(lines.iter().all(|line| line["exit_code"] == 2));
}

#[test]
fn keys_that_would_be_one_object_are_refused_before_anything_is_started() {
    let bench = fleet(3);
    refused_before_any_start(
        &bench,
        &["Mill", "Press", "Mill"],
        "{machine_name}.csv",
        &[
            "would both be stored as Mill.csv",
            "the machines have the same name",
            "{machine_name}-{machine}.csv",
        ],
    );
    refused_before_any_start(
        &bench,
        &["a", "b", "c"],
        "{date}.csv",
        &["would both be stored as", "put {machine}"],
    );
}

#[test]
fn one_machines_archive_never_gets_the_key_of_anothers_receipt() {
    let bench = fleet(3);
    let receipt = tulip_core::ObjectKey::new("A")
        .unwrap()
        .receipt()
        .to_string();
    rename(&bench, &["A", &receipt, "A.receipt.json"]);
    let args = [&ALL[..], &["--name", "{machine_name}"]].concat();
    let ran = bench.run(&args);
    match ran.code {
        Some(0) => {
            assert_eq!(files(&bench.folder.path().join("out")).len(), 7);
            assert_eq!(bench.run(&["verify", "out"]).code, Some(0));
        }
        _ => {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("the other's receipt"), "{ran:?}");
            assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
        }
    }
}

#[test]
fn a_template_that_names_a_receipt_is_refused() {
    let bench = fleet(1);
    let name = "{date}/_latest.receipt.json";
    let ran = bench.run(&[&ALL[..], &["--name", name]].concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("names a receipt"), "{ran:?}");
}

#[test]
fn every_kind_of_end_has_the_same_fields() {
    let bench = fleet(2);
    let args = [&ALL[..], &["--name", "{machine}.csv"]].concat();
    let exported = lines(&bench.run(&args));
    assert_eq!(with(&exported, "outcome", "stored").len(), 2);
    assert!(
        exported
            .iter()
            .all(|line| line["has_receipt"] == true && line["job"].is_string())
    );
    let skip = [&args[..], &["--if-exists", "skip"]].concat();
    let skipped = lines(&bench.run(&skip));
    assert_eq!(with(&skipped, "outcome", "unchanged").len(), 2);
    assert!(
        skipped
            .iter()
            .all(|line| line["location"].is_string() && line["error"].is_null())
    );
    let job = exported[0]["job"].as_str().unwrap();
    let again = ["export", "--job", job, "--to", "jobs", "--json"];
    lines(&bench.run(&again));
    let unchanged = lines(&bench.run(&again));
    assert_eq!(with(&unchanged, "outcome", "unchanged").len(), 1);
    assert_eq!(unchanged[0]["machine_name"], Value::Null);
    let fail = [&args[..], &["--if-exists", "fail"]].concat();
    let ran = bench.run(&fail);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(with(&lines(&ran), "error_kind", "already_exists").len(), 2);
}

#[test]
fn lines_tell_what_time_was_spent_on_and_how_much_was_moved() {
    let bench = fleet(2);
    let machines = bench.emulator.machine_ids();
    bench
        .emulator
        .script_next_of(&machines[0], JobScript::new().truncated(100));
    let ran = lines(&bench.run(&ALL));
    let [stored] = with(&ran, "outcome", "stored")[..] else {
        panic!("{ran:?}");
    };
    let phases: Vec<_> = stored["phases"].as_array().unwrap().iter().collect();
    let names: Vec<_> = phases.iter().map(|span| &span["phase"]).collect();
    assert_eq!(
        names,
        [
            "waiting_to_start",
            "pending",
            "waiting_to_download",
            "downloading",
            "storing",
        ]
    );
    assert!(
        phases
            .iter()
            .all(|span| span["seconds"].is_f64() && span["started"].is_string())
    );
    assert_eq!(stored["bytes"], stored["receipt"]["bytes"]);
    assert_eq!(stored["records"], 20);
    let [cut] = with(&ran, "outcome", "failed_to_store")[..] else {
        panic!("{ran:?}");
    };
    assert_eq!(cut["phases"].as_array().unwrap().len(), 4, "{cut}");
    assert!(cut["bytes"].as_u64().unwrap() < stored["bytes"].as_u64().unwrap());
}

#[test]
fn an_archive_without_records_replaces_one_with_some_only_on_request() {
    let bench = fleet(1);
    let args = [&ALL[..], &["--name", "latest.csv"]].concat();
    assert_eq!(bench.run(&args).code, Some(0));
    let stored = std::fs::read(bench.path("out/latest.csv")).unwrap();
    bench.emulator.set_default_script(JobScript::new().rows(0));
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(lines(&ran)[0]["error_kind"], "empty_archive");
    assert_eq!(std::fs::read(bench.path("out/latest.csv")).unwrap(), stored);
    let text = ["export", "--all", "--to", "out", "--name", "latest.csv"];
    let ran = bench.run(&text);
    assert!(ran.stderr.contains("add --allow-empty"), "{ran:?}");
    let ran = bench.run(&[&args[..], &["--allow-empty"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(lines(&ran)[0]["receipt"]["records"], 0);
}

#[test]
fn an_archive_whose_last_record_lacks_fields_is_stored_only_on_request() {
    let bench = fleet(1);
    let script = JobScript::new().content_fault(ContentFault::Ragged);
    let job = bench.job(script).to_string();
    let args = ["export", "--job", &job, "--to", "out"];
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .contains("\nhint: if the archive is complete, add --allow-ragged"),
        "{ran:?}"
    );
    assert!(files(&bench.folder.path().join("out")).is_empty());
    let ran = bench.run(&[&args[..], &["--allow-ragged"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn text_and_hints_go_to_stderr_on_lines_of_their_own() {
    let bench = fleet(1);
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", "out"];
    let ran = bench.run(&[&args[..], &["--max-bytes", "10"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said: Vec<_> = ran.stderr.lines().collect();
    assert!(said[0].starts_with("error: machine "), "{ran:?}");
    assert!(
        said[1].starts_with("hint: if the archive is that large, raise --max-bytes"),
        "{ran:?}"
    );
    // The same command again would be refused again.
    assert_eq!(said.len(), 2, "{ran:?}");
}

#[test]
fn a_target_beside_the_working_folder_is_written() {
    let bench = fleet(1);
    std::fs::create_dir(bench.path("work")).unwrap();
    let mut command = bench.command();
    command.current_dir(bench.path("work"));
    let ran = run(&mut command, &["export", "--all", "--to", "../out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(files(&bench.folder.path().join("out")).len(), 2);
}

#[test]
fn absurd_durations_are_as_long_as_it_takes() {
    let bench = fleet(1);
    let long = "300000000000years";
    for flag in [
        "--read-timeout",
        "--connect-timeout",
        "--timeout",
        "--resume-within",
    ] {
        let ran = bench.run(&[&ALL[..], &[flag, long]].concat());
        assert_eq!(ran.code, Some(0), "{flag}: {ran:?}");
    }
    let job = bench.emulator.jobs()[0].id.clone();
    let wait = ["status", job.as_str(), "--wait", "--timeout", long];
    assert_eq!(bench.run(&wait).code, Some(0));
    let sweep = ["resume", "--discard", "--to", "out", "--older-than", long];
    let ran = bench.run(&sweep);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn values_with_quotes_blanks_or_a_byte_order_mark_are_used_without() {
    let bench = fleet(1);
    let base = format!("\u{feff}\"{}\" ", bench.emulator.base_url());
    let state = format!("'{}'", bench.state.path().display());
    let mut command = bench.command();
    command.env("TULIP_STATE", state);
    let args = ["--base-url", &base, "--timeout", "\"1h\""];
    let ran = run(&mut command, &[&ALL[..], &args].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn without_a_home_a_warning_says_that_nothing_is_remembered() {
    let bench = fleet(1);
    let mut command = bench.command();
    command
        .env_remove("TULIP_STATE")
        .env_remove("XDG_STATE_HOME")
        .env("HOME", "/proc/nowhere");
    let ran = run(&mut command, &ALL);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains("cannot be resumed"), "{ran:?}");
    let ran = run(&mut command, &["--no-state"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn nothing_foreign_reaches_the_terminal_as_more_than_one_clean_line() {
    let bench = fleet(2);
    rename(&bench, &["Mill\u{1b}[31m\nERROR forged", "Press\u{2028}x"]);
    let machine = bench.machine();
    let script = JobScript::new().fails("no\u{1b}]0;pwned\u{7}\nERROR forged");
    bench.emulator.script_next_of(&machine, script);
    let ran = bench.run(&[
        "export",
        "--all",
        "--to",
        "out",
        "--name",
        "{machine_name}.csv",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for said in [&ran.stdout, &ran.stderr] {
        assert!(
            !said.contains('\u{1b}') && !said.contains('\u{7}'),
            "{ran:?}"
        );
        assert!(
            !said.lines().any(|line| line.starts_with("ERROR forged")),
            "{ran:?}"
        );
    }
}
