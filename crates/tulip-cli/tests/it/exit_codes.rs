use tulip_core::{Credentials, Scope};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply, TokenKind};

use crate::support::{Bench, elsewhere, files, run};

#[test]
fn all_done_is_0() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new());
    let ran = bench.run(&["export", "--job", job.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let archive = bench.path(&format!("out/{job}.csv"));
    let receipt = bench.path(&format!("out/_{job}.csv.receipt.json"));
    let mut stored = [archive.clone(), receipt];
    stored.sort();
    assert_eq!(files(bench.folder.path()), stored);
    assert!(
        ran.stdout
            .starts_with(&format!("exported {archive} (1000 records, ")),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "");
    for args in [
        &["machines"][..],
        &["status", job.as_str()],
        &["sinks"],
        &["--version"],
        &["--help"],
    ] {
        assert_eq!(bench.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn refused_credentials_and_scopes_are_3() {
    let bench = Bench::start();
    let stranger = Credentials::new("apikey.2_nobody", "s3cret").unwrap();
    let ran = run(&mut bench.command_as(&stranger), &["machines"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("errorUniqueID"), "{ran:?}");
    let reader = bench
        .emulator
        .issue_token(TokenKind::Workspace, &[Scope::MachinesRead])
        .unwrap();
    let machine = bench.machine();
    let args = ["export", "--machine", machine.as_str(), "--to", "out"];
    let ran = run(&mut bench.command_as(&reader), &args);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("machines:write"), "{ran:?}");
}

#[test]
fn a_job_that_failed_or_is_unknown_is_4_and_a_missed_deadline_is_1() {
    let bench = Bench::start();
    let failed = bench.job(JobScript::new().fails("out of disk"));
    let pending = bench.job(JobScript::new().pending_until_released());
    for (job, more, code, says) in [
        (failed.as_str(), &[][..], 4, "out of disk"),
        ("nobody", &[], 4, "nobody"),
        (
            pending.as_str(),
            &["--timeout", "50ms"],
            1,
            "was not complete after",
        ),
    ] {
        let args = [&["export", "--job", job, "--to", "out"], more].concat();
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
        let args = [&["status", job, "--wait"], more].concat();
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(
            ran.stdout.contains(says) || ran.stderr.contains(says),
            "{ran:?}"
        );
    }
    let ran = bench.run(&["status", failed.as_str()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(4), ""));
    assert_eq!(ran.stdout, format!("job {failed}: failed: out of disk\n"));
    assert_eq!(bench.run(&["status", pending.as_str()]).code, Some(0));
    assert_eq!(bench.run(&["status", "nobody"]).code, Some(4));
}

#[test]
fn a_time_limit_of_the_run_or_of_a_machine_is_a_deadline_and_not_an_interruption() {
    for (option, says) in [
        ("--run-timeout", "the time limit of the run was reached"),
        (
            "--machine-timeout",
            "the time limit of each export was reached",
        ),
    ] {
        let bench = Bench::start();
        let pending = JobScript::new().pending_until_released();
        bench.emulator.set_default_script(pending);
        let machine = bench.machine();
        let args = ["export", "--machine", machine.as_str(), "--to", "out"];
        let args = [&args[..], &[option, "1s", "--json"]].concat();
        let ran = bench.run(&args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(line["error_kind"], "deadline_exceeded", "{line}");
        assert_eq!(line["outcome"], "failed_at_tulip", "{line}");
        assert_eq!(
            (&line["exit_code"], &line["retryable"]),
            (&1.into(), &true.into())
        );
        assert!(line["error"].as_str().unwrap().contains(says), "{line}");
        // The next run resumes the job that was started.
        let job = line["job"].as_str().unwrap().parse().unwrap();
        bench.emulator.release(&job);
        let ran = bench.run(&args[..5]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
    }
}

#[test]
fn a_target_that_cannot_be_written_is_5_and_nothing_is_asked_of_tulip() {
    let bench = Bench::start();
    std::fs::write(bench.path("file"), "x").unwrap();
    let machine = bench.machine();
    for (target, says) in [
        ("file", "is a file, not a folder"),
        ("file/below", "cannot create the folder"),
        ("/proc/self", "cannot write into the folder"),
    ] {
        let ran = bench.run(&["export", "--machine", machine.as_str(), "--to", target]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
    assert_eq!(bench.emulator.requests().api.len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_target_that_becomes_full_is_5_and_nothing_is_left() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().rows(200_000));
    // A limit on file sizes makes writes fail like a full disk. The shell sets it for itself and
    // for the command that it execs.
    let tulip = assert_cmd::cargo::cargo_bin!("tulip").display().to_string();
    let script = r#"trap "" XFSZ; ulimit -f 2000; exec "$0" export --job "$1" --to out"#;
    let mut shell = assert_cmd::Command::new("/bin/sh");
    let credentials = bench.emulator.credentials();
    shell
        .env_clear()
        .current_dir(bench.folder.path())
        .env("TULIP_STATE", bench.state.path())
        .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret());
    let ran = run(&mut shell, &["-c", script, &tulip, job.as_str()]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(
        ran.stderr
            .contains("no space left (free some space, then try again)"),
        "{ran:?}"
    );
    assert_eq!(files(bench.folder.path()), Vec::<String>::new());
}

#[test]
fn anything_else_is_1() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().truncated(500));
    let ran = bench.run(&["export", "--job", job.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("it was cut off"), "{ran:?}");
    let page = Reply::html(200, "<title>Blocked by your company</title>");
    bench.emulator.fail_next(Endpoint::Machines, 1, page);
    let ran = bench.run(&["machines"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("Blocked by your company"), "{ran:?}");
    assert_eq!(files(bench.folder.path()), Vec::<String>::new());
}

#[test]
fn a_server_that_is_not_tulip_is_1_whatever_it_answers() {
    let bench = Bench::start();
    let page = Reply::html(404, "<title>nginx</title>");
    for (endpoint, args) in [
        (Endpoint::Machines, &["machines"][..]),
        (Endpoint::Status, &["status", "j"]),
        (Endpoint::Status, &["export", "--job", "j", "--to", "out"]),
    ] {
        bench.emulator.fail_next(endpoint, 1, page.clone());
        let ran = bench.run(args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.stderr
                .contains("check that the base URL is a Tulip instance"),
            "{ran:?}"
        );
    }
}

#[test]
fn the_archive_of_a_failed_machine_export_can_be_fetched_by_its_job() {
    let bench = Bench::start();
    let machine = bench.machine();
    bench.emulator.fail_next(Endpoint::Asset, 1, elsewhere());
    let ran = bench.run(&["export", "--machine", machine.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let job = bench.emulator.jobs()[0].id.clone();
    assert!(
        ran.stderr
            .ends_with("to continue, run the same command again, or `tulip resume`\n"),
        "{ran:?}"
    );
    assert_eq!(
        bench
            .run(&["export", "--job", job.as_str(), "--to", "out"])
            .code,
        Some(0)
    );
}

#[test]
fn a_download_that_breaks_off_goes_on_and_one_over_the_limit_does_not_begin() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new());
    let args = ["export", "--job", job.as_str(), "--to", "out"];
    let ran = bench.run(&[args.as_slice(), &["--max-bytes", "1kB"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("more than the 1000 bytes"), "{ran:?}");
    let ran = bench.run(&[args.as_slice(), &["--max-bytes", "much"]].concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    bench
        .emulator
        .fail_next(Endpoint::Asset, 1, Fault::Cut { after: 100 });
    assert_eq!(bench.run(&args).code, Some(0));
}

#[test]
fn a_machine_named_twice_is_exported_once() {
    let bench = Bench::start();
    let machine = bench.machine();
    let ran = bench.run(&[
        "export",
        "--to",
        "out",
        "--machine",
        machine.as_str(),
        machine.as_str(),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(bench.emulator.jobs().len(), 1);
}

#[test]
fn several_exports_end_in_their_common_code_in_1_or_in_7_if_some_are_stored() {
    let bench = Bench::start();
    let good = bench.job(JobScript::new());
    let bad = bench.job(JobScript::new().fails_silently());
    let worse = bench.job(JobScript::new().fails_silently());
    let cut = bench.job(JobScript::new().truncated(500));
    let export = |jobs: &[&str]| {
        let args = [&["export", "--to", "out", "--job"], jobs].concat();
        bench.run(&args).code
    };
    assert_eq!(export(&[good.as_str()]), Some(0));
    assert_eq!(export(&[bad.as_str(), worse.as_str()]), Some(4));
    assert_eq!(export(&[good.as_str(), bad.as_str()]), Some(1));
    assert_eq!(export(&[cut.as_str(), bad.as_str()]), Some(1));
}
