//! `tulip resume` and `tulip verify`.

use tulip_emulator::{Endpoint, JobScript};
use tulip_test_s3::{KEY_ID, S3Server, SECRET};

use crate::support::{Bench, Ran, elsewhere, files, run};

/// Exports the first machine, with a download that cannot finish.
fn interrupted(bench: &Bench, target: &str) -> Ran {
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", target];
    let refused = bench.run(&args);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    refused
}

#[test]
fn what_is_open_is_listed_and_finished() {
    let bench = Bench::start();
    assert_eq!(bench.run(&["resume"]).stderr, "no unfinished exports\n");
    let failed = interrupted(&bench, "out");
    assert!(failed.stderr.contains("or `tulip resume`"), "{failed:?}");
    let listed = bench.run(&["resume", "--list", "--json"]);
    let open = &listed.json()[0];
    let job = bench.emulator.jobs()[0].id.to_string();
    assert_eq!(open["job"], job);
    assert_eq!(open["state"], "incomplete");
    assert!(open["target"].as_str().unwrap().ends_with("/out"), "{open}");
    let table = bench.run(&["resume", "--list"]).stdout;
    assert!(
        table.contains(&job) && table.starts_with("EXPORT"),
        "{table}"
    );
    let elsewhere = bench.run(&["resume", "--base-url", "http://127.0.0.1:9"]);
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
    let says = format!("belongs to instance {}", bench.emulator.base_url());
    assert!(elsewhere.stderr.contains(&says), "{elsewhere:?}");
    let elsewhere = bench.run(&["resume", "--base-url", "http://127.0.0.1:9", "--json"]);
    assert_eq!(elsewhere.json()[0]["outcome"], "not_started");
    let ran = bench.run(&["resume", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()[0]["receipt"]["job"], job);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
    assert!(bench.run(&["resume", "--list"]).stdout.is_empty());
}

#[test]
fn what_is_open_is_given_up_only_where_it_is_asked_for() {
    let bench = Bench::start();
    interrupted(&bench, "out");
    let other = bench.run(&["resume", "--discard", "--to", "other"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    assert_eq!(bench.run(&["resume", "--list", "--json"]).json().len(), 1);
    let ran = bench.run(&["resume", "--discard"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--all"), "{ran:?}");
    assert_eq!(bench.run(&["resume", "--list", "--json"]).json().len(), 1);
    let ran = bench.run(&["resume", "--discard", "--all"]);
    assert!(ran.stdout.starts_with("discarded machine"), "{ran:?}");
    assert_eq!(bench.remembered(), Vec::<String>::new());
    assert_eq!(
        files(&bench.folder.path().join("out")),
        Vec::<String>::new()
    );
    // The next export is a new one.
    let machine = bench.machine();
    bench.run(&["export", "--machine", machine.as_str(), "--to", "out"]);
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
}

#[test]
fn options_of_a_target_are_remembered_and_can_be_said_anew() {
    let bench = Bench::start();
    let memory = ["--sink-option", "memory=20MiB"];
    for resume in [&["resume", "--json"][..], &["resume", "--discard", "--all"]] {
        bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
        let machine = bench.machine();
        let export = ["export", "--machine", machine.as_str(), "--to", "out"];
        let failed = bench.run(&[&export[..], &memory].concat());
        assert_eq!(failed.code, Some(1), "{failed:?}");
        let ran = bench.run(&[resume, &["--sink-option", "memory=30MiB"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stderr.contains("twice"), "{ran:?}");
        assert_eq!(bench.remembered(), Vec::<String>::new());
    }
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 2);
}

#[test]
fn a_sweep_of_a_bucket_wants_its_age_and_counts_what_it_removes() {
    let bench = Bench::start();
    let server = bench.block_on(S3Server::start());
    let hours = |hours: u64| std::time::Duration::from_secs(3600 * hours);
    server.orphan("tulip/old.csv", hours(30));
    server.orphan("tulip/new.csv", hours(2));
    let sweep = |more: &[&str]| {
        let mut command = bench.command();
        command
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_ENDPOINT_URL", &server.endpoint);
        let args = ["resume", "--discard", "--to", "s3://lake/tulip"];
        run(&mut command, &[&args, more].concat())
    };
    let ran = sweep(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("removed 1 stale upload from"),
        "{ran:?}"
    );
    assert_eq!(server.open_uploads(), ["tulip/new.csv"]);
    assert!(
        sweep(&["--older-than", "1h"])
            .stderr
            .contains("removed 1 stale upload from")
    );
    assert_eq!(server.open_uploads(), Vec::<String>::new());
    assert_eq!(sweep(&["--older-than", "0"]).code, Some(2));
}

#[test]
fn without_state_nothing_is_remembered() {
    let bench = Bench::start();
    let machine = bench.machine();
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let args = ["export", "--machine", machine.as_str(), "--to", "out"];
    let ran = bench.run(&[&args[..], &["--no-state"]].concat());
    assert!(
        ran.stderr
            .contains("hint: to fetch this archive without starting another"),
        "{ran:?}"
    );
    assert_eq!(files(bench.state.path()), Vec::<String>::new());
    let unusable = bench.run(&[&args[..], &["--state", "/proc/nowhere"]].concat());
    assert_eq!(unusable.code, Some(2), "{unusable:?}");
    let stderr = unusable.stderr;
    assert!(
        stderr.starts_with("error: cannot write the state in /proc/nowhere: "),
        "{stderr}"
    );
    assert!(stderr.contains("hint: set --state"), "{stderr}");
}

#[test]
fn verify_ends_in_6_where_an_archive_is_not_what_its_receipt_says() {
    let bench = Bench::start();
    let ran = bench.run(&["export", "--all", "--to", "out", "--name", "{machine}.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = bench.run(&["verify", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.starts_with("3 OK, 0 mismatched, 0 missing"),
        "{ran:?}"
    );
    let file = bench.path(&format!("out/{}.csv", bench.machine()));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"one more\n");
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(bench.path("out/note.txt"), "mine").unwrap();
    let ran = bench.run(&["verify", "out", "--json"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let statuses = ran.json();
    let count = |status: &str| statuses.iter().filter(|v| v["status"] == status).count();
    assert_eq!(
        (count("intact"), count("mismatch"), count("no_receipt")),
        (2, 1, 1)
    );
    let nothing = bench.run(&["verify", "nowhere"]);
    assert_eq!(nothing.code, Some(5), "{nothing:?}");
}

#[cfg(unix)]
#[test]
fn verify_skips_and_names_what_it_cannot_look_at_and_ends_in_5() {
    let bench = Bench::start();
    let ran = bench.run(&["export", "--all", "--to", "out", "--name", "{machine}.csv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    std::os::unix::fs::symlink(".", bench.path("out/back")).unwrap();
    std::fs::write(bench.path("out/back\\slash.csv"), "x\n").unwrap();
    let ran = bench.run(&["verify", "out"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(ran.stdout.matches(": intact").count(), 3, "{ran:?}");
    for name in ["out/back: it is a link back to", "slash.csv is no archive"] {
        assert!(ran.stderr.contains(name), "{ran:?}");
    }
    assert!(ran.stderr.contains("3 OK"), "{ran:?}");
    assert!(ran.stderr.contains(", 2 skipped"), "{ran:?}");
    let ran = bench.run(&["verify", "out", "--json"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let entries = ran.json();
    assert_eq!(entries.len(), 5);
    let skipped: Vec<_> = entries
        .iter()
        .filter(|entry| entry["status"] == "skipped")
        .collect();
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(|entry| entry["location"].is_string()));
    // A missing archive is worse than a skipped entry.
    std::fs::remove_file(bench.path(&format!("out/{}.csv", bench.machine()))).unwrap();
    let ran = bench.run(&["verify", "out"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
}

#[test]
fn the_same_job_again_is_told_to_be_unchanged() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new());
    let args = ["export", "--job", job.as_str(), "--to", "out", "--json"];
    assert_eq!(bench.run(&args).json()[0]["outcome"], "stored");
    let again = bench.run(&args);
    assert_eq!(again.code, Some(0));
    assert_eq!(again.json()[0]["outcome"], "unchanged");
    assert_eq!(again.json()[0]["receipt"]["job"], job.as_str());
    assert_eq!(bench.emulator.requests().count(Endpoint::Asset), 1);
}

/// `?`, `#` and `%` are special in a URL but ordinary characters in a path.
#[test]
fn a_path_is_taken_literally_wherever_it_is_used_or_shown() {
    for name in ["what?.d", "a#b", "100%25 done"] {
        let bench = Bench::start();
        let to = format!("./{name}");
        interrupted(&bench, &to);
        let folder = bench.path(name);
        let listed = bench.run(&["resume", "--list"]);
        assert!(
            listed.stdout.contains(&format!("  {folder}\n")),
            "{}",
            listed.stdout
        );
        let ran = bench.run(&["resume"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let job = &bench.emulator.jobs()[0].id;
        let stored = format!("{folder}/{}/{job}.csv", bench.machine());
        assert!(
            ran.stdout.contains(&format!("exported {stored} (")),
            "{}",
            ran.stdout
        );
        let whole = bench.emulator.content(job).unwrap().to_bytes();
        assert!(std::fs::read(&stored).unwrap() == whole);
        let ran = bench.run(&["verify", &to]);
        assert_eq!(ran.stdout, format!("{stored}: intact\n"));
        let ran = bench.run(&["sinks", "check", &to]);
        assert!(
            ran.stdout.starts_with(&format!("{folder}: OK")),
            "{}",
            ran.stdout
        );
    }
}

/// One export of the run could not finish: `tulip resume` completes the run, too.
#[test]
fn what_is_resumed_is_recorded_in_the_run_that_has_left_it() {
    let bench = Bench::start();
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let args = ["export", "--all", "--to", "out", "--concurrency", "1"];
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let id = bench.run(&["runs", "--json"]).json()[0]["run"].clone();
    let manifest = bench.path(&format!("out/_runs/{}.json", id.as_str().unwrap()));
    let whole = || -> serde_json::Value {
        let text = std::fs::read_to_string(&manifest).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["whole"].clone()
    };
    assert_eq!(whole(), false);
    let ran = bench.run(&["resume"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("is complete\n"), "{ran:?}");
    assert_eq!(whole(), true);
    let shown = bench.run(&["runs", "--json"]).json();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["counts"]["failed_to_store"], 0, "{shown:?}");
    assert_eq!(shown[0]["run"], id);
    let starts = bench.emulator.requests().count(Endpoint::Start);
    assert_eq!(starts, bench.emulator.jobs().len());
    let ran = bench.run(&["export", "--retry-failed", "--to", "out"]);
    assert!(ran.stderr.contains("nothing to retry"), "{ran:?}");
}
