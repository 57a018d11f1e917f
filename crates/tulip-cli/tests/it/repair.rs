//! `tulip verify --repair`.

use std::fs;

use serde_json::Value;
use tulip_emulator::{Endpoint, JobScript, Reply};
use tulip_test_s3::{KEY_ID, S3Server, SECRET};

use crate::support::{Bench, Ran, files, run};

/// A bench with the archives of jobs of these names, stored in `out`.
fn exported(names: &[&str]) -> Bench {
    let bench = Bench::start();
    for name in names {
        let script = JobScript::new().rows(200).machine(bench.machine());
        let job = bench.emulator.add_job_as(name.parse().unwrap(), script);
        let ran = bench.run(&["export", "--job", job.unwrap().as_str(), "--to", "out"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    bench
}

/// Makes the receipt of an archive name the machine, like the receipt of an export by machine.
fn name_machine(bench: &Bench, name: &str) {
    let path = bench.path(&format!("out/_{name}.csv.receipt.json"));
    let mut receipt: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    receipt["machine"] = bench.machine().to_string().into();
    fs::write(path, receipt.to_string()).unwrap();
}

/// Changes one byte of a file but neither its size nor its time, like a bad disk.
fn flip(path: &str) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    flip_digit(&mut bytes);
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
}

fn flip_digit(bytes: &mut [u8]) {
    let at = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
    bytes[at] ^= 1;
}

fn repair(bench: &Bench) -> Ran {
    bench.run(&["verify", "out", "--repair"])
}

#[test]
fn what_is_damaged_cut_or_missing_is_exported_again_and_nothing_else() {
    let bench = exported(&["cut", "fine", "flipped", "gone"]);
    let path = |name: &str| bench.path(&format!("out/{name}.csv"));
    let whole = fs::read(path("fine")).unwrap();
    flip(&path("flipped"));
    fs::write(path("cut"), &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(path("gone")).unwrap();
    let untouched = fs::metadata(path("fine")).unwrap().modified().unwrap();
    let ran = repair(&bench);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for name in ["cut", "flipped", "gone"] {
        let stored = fs::read(path(name)).unwrap();
        let sent = bench.emulator.content(&name.parse().unwrap()).unwrap();
        assert!(stored == sent.to_bytes(), "{name}");
        let said = format!("repaired {}", path(name));
        assert!(ran.stdout.contains(&said), "{}", ran.stdout);
    }
    assert!(
        ran.stderr.contains("3 repaired, 0 not repaired"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stdout.contains(&format!("repaired {}", path("fine"))));
    let now = fs::metadata(path("fine")).unwrap().modified().unwrap();
    assert_eq!(now, untouched);
    assert_eq!(bench.run(&["verify", "out"]).code, Some(0));
    assert_eq!(bench.remembered(), Vec::<String>::new());
}

#[test]
fn a_job_that_is_gone_is_replaced_by_a_new_archive_of_its_machine() {
    let bench = exported(&["old"]);
    name_machine(&bench, "old");
    fs::remove_file(bench.path("out/old.csv")).unwrap();
    let jobs = bench.emulator.jobs().len();
    let gone = Reply::error(404, "JobNotFound", "no such job");
    bench.emulator.fail_next(Endpoint::Status, 1, gone);
    let ran = bench.run(&["verify", "out", "--repair", "--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let said = format!("starting a new archive of machine {}", bench.machine());
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert_eq!(bench.emulator.jobs().len(), jobs + 1);
    let lines = ran.json();
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_str()).collect();
    assert_eq!(statuses, [Some("missing"), Some("repaired")]);
    assert_eq!(lines[1]["location"], bench.path("out/old.csv"));
    let receipt = &lines[1]["receipt"];
    assert_eq!(receipt["object"]["key"], "old.csv");
    assert_ne!(receipt["job"], "old");
    assert_eq!(receipt["machine"], bench.machine().as_str());
    assert_eq!(bench.run(&["verify", "out"]).code, Some(0));
}

#[test]
fn what_cannot_be_repaired_is_said_and_costs_the_others_nothing() {
    let bench = exported(&["fixed", "lost", "unread"]);
    let path = |name: &str| bench.path(&format!("out/{name}"));
    for name in ["fixed.csv", "lost.csv"] {
        fs::remove_file(path(name)).unwrap();
    }
    fs::write(path("_unread.csv.receipt.json"), "{").unwrap();
    // This receipt names a job that Tulip does not know, and no machine.
    let receipt = fs::read_to_string(path("_lost.csv.receipt.json")).unwrap();
    let receipt = receipt.replace("\"job\": \"lost\"", "\"job\": \"nowhere\"");
    fs::write(path("_lost.csv.receipt.json"), receipt).unwrap();
    let ran = repair(&bench);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    for said in [
        "unread.csv: not repaired: its receipt cannot be read",
        "lost.csv: not repaired: job nowhere",
        "its receipt names no machine",
        "1 repaired, 2 not repaired",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(fs::exists(path("fixed.csv")).unwrap());
    assert!(fs::exists(path("unread.csv")).unwrap());
    // Now only one kind of failure is left: Tulip does not know the job.
    fs::remove_file(path("_unread.csv.receipt.json")).unwrap();
    let ran = bench.run(&["verify", "out", "--repair", "--json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let lines = ran.json();
    let failed = lines.iter().find(|line| line["status"] == "not_repaired");
    assert_eq!(failed.unwrap()["error_kind"], "not_found");
    assert_eq!(failed.unwrap()["retryable"], false);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let bench = exported(&["kept", "moved"]);
    name_machine(&bench, "moved");
    for name in ["kept", "moved"] {
        fs::remove_file(bench.path(&format!("out/{name}.csv"))).unwrap();
    }
    let before = (files(bench.folder.path()), bench.emulator.jobs().len());
    let args = [
        "verify",
        "out",
        "--repair",
        "--dry-run",
        "--concurrency",
        "1",
    ];
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    for name in ["kept", "moved"] {
        let location = bench.path(&format!("out/{name}.csv"));
        let said = format!("would repair {location}: export job {name} again");
        assert!(ran.stdout.contains(&said), "{}", ran.stdout);
    }
    let gone = Reply::error(404, "JobNotFound", "no such job");
    bench.emulator.fail_next(Endpoint::Status, 2, gone);
    let ran = bench.run(&[&args[..], &["--json"]].concat());
    let lines = ran.json();
    let of = |name: &str| {
        let location = bench.path(&format!("out/{name}.csv"));
        let line = lines.iter().rfind(|line| line["location"] == location);
        let line = line.unwrap();
        let status = line["status"].as_str().unwrap().to_owned();
        (status, line["detail"].as_str().unwrap().to_owned())
    };
    let (status, detail) = of("moved");
    assert_eq!(status, "would_repair");
    assert!(
        detail.contains("start a new archive of machine"),
        "{detail}"
    );
    assert_eq!(of("kept").0, "not_repaired");
    assert!(
        ran.stderr
            .contains("1 to repair, 1 that cannot be repaired"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        (files(bench.folder.path()), bench.emulator.jobs().len()),
        before
    );
}

#[test]
fn a_target_that_is_intact_needs_no_repair_and_asks_tulip_nothing() {
    let bench = exported(&["fine"]);
    let asked = bench.emulator.requests().count(Endpoint::Status);
    let ran = repair(&bench);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("repaired"), "{}", ran.stderr);
    assert_eq!(bench.emulator.requests().count(Endpoint::Status), asked);
}

#[test]
fn options_of_repairs_need_one() {
    let bench = Bench::start();
    for option in ["--dry-run", "--timeout=1h"] {
        let ran = bench.run(&["verify", "out", option]);
        assert_eq!(ran.code, Some(2), "{option}: {}", ran.stderr);
        assert!(ran.stderr.contains("--repair"), "{}", ran.stderr);
    }
}

#[test]
fn objects_of_a_bucket_are_repaired() {
    let bench = Bench::start();
    let server = bench.block_on(S3Server::start());
    let s3 = |args: &[&str]| {
        let mut command = bench.command();
        command
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_ENDPOINT_URL", &server.endpoint);
        run(&mut command, args)
    };
    for name in ["cut", "fine", "flipped"] {
        let script = JobScript::new().rows(200);
        let job = bench.emulator.add_job_as(name.parse().unwrap(), script);
        let ran = s3(&[
            "export",
            "--job",
            job.unwrap().as_str(),
            "--to",
            "s3://lake/x",
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let mut bytes = server.object("x/flipped.csv").unwrap();
    flip_digit(&mut bytes);
    server.put("x/flipped.csv", &bytes);
    // A receipt of the job `cut`, without its archive.
    let receipt = server.object("x/_cut.csv.receipt.json").unwrap();
    server.put("x/_gone.csv.receipt.json", &receipt);
    server.put("x/cut.csv", b"a,b\n");
    let begun = server.seen().len();
    let ran = s3(&["verify", "s3://lake/x", "--repair"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for (name, job) in [("flipped", "flipped"), ("cut", "cut"), ("gone", "cut")] {
        let sent = bench.emulator.content(&job.parse().unwrap()).unwrap();
        assert!(server.object(&format!("x/{name}.csv")).unwrap() == sent.to_bytes());
    }
    let seen = server.seen();
    let touched = seen[begun..]
        .iter()
        .filter(|seen| seen.method != "GET" && seen.method != "HEAD");
    assert!(touched.clone().count() > 0);
    assert!(
        touched
            .clone()
            .all(|seen| !seen.target.contains("fine.csv"))
    );
    assert_eq!(s3(&["verify", "s3://lake/x"]).code, Some(0));
}

#[test]
fn options_that_only_repairs_use_are_refused_without_one() {
    let bench = exported(&["a"]);
    for option in [
        ["--state", "elsewhere"],
        ["--base-url", "https://acme.tulip.co"],
        ["--api-key", "apikey.2_a"],
        ["--connections", "2"],
        ["--allow-network", "10.0.0.0/8"],
    ] {
        let ran = bench.run(&[&["verify", "out"][..], &option].concat());
        let name = option[0];
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        let said = format!("error: {name} is only used with --repair\n");
        assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    // Variables may be set for other commands.
    let mut command = bench.command();
    command.env("TULIP_ALLOW_NETWORK", "10.0.0.0/8");
    assert_eq!(run(&mut command, &["verify", "out"]).code, Some(0));
    // These options apply to the target.
    let timeouts = ["--connect-timeout", "5s", "--read-timeout", "5s"];
    let ran = bench.run(&[&["verify", "out"][..], &timeouts].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
