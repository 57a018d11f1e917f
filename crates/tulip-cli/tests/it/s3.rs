//! Exports to `s3://`, and `tulip sinks check`.

use assert_cmd::Command;
use serde_json::Value;
use tulip_emulator::{Endpoint, Fault, JobScript};

use crate::support::{Bench, Ran, bare, run};
use tulip_test_s3::{KEY_ID, S3Server, S3ServerBuilder, SECRET, Seen};

/// The rows of an archive of more than one part.
const LARGE: u64 = 120_000;

struct Lake {
    bench: Bench,
    server: S3Server,
}

impl Lake {
    fn start() -> Self {
        let bench = Bench::start();
        let server = bench.block_on(S3Server::start());
        Self { bench, server }
    }

    fn command(&self) -> Command {
        let mut command = self.bench.command();
        command
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_ENDPOINT_URL", &self.server.endpoint);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(), args)
    }

    fn large_job(&self) -> String {
        let script = JobScript::new().rows(LARGE);
        self.bench.job(script).to_string()
    }
}

#[test]
fn an_export_lands_in_the_bucket_with_its_receipt_and_metadata() {
    let lake = Lake::start();
    let job = lake.large_job();
    let to = "s3://lake/plant 7/";
    let ran = lake.run(&["export", "--job", &job, "--to", to, "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = &ran.json()[0];
    let location = format!("s3://lake/plant 7/{job}.csv");
    assert_eq!(report["location"], location, "{report}");
    let object = lake.server.object(&format!("plant 7/{job}.csv")).unwrap();
    assert_eq!(report["receipt"]["bytes"], object.len());
    assert!(object.len() > 8 << 20);
    let receipt = format!("plant 7/_{job}.csv.receipt.json");
    let receipt = lake.server.object(&receipt).unwrap();
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    assert_eq!(receipt, report["receipt"]);
    assert!(lake.server.uploads().is_empty());
    let seen = lake.server.seen();
    let begun = |seen: &&Seen| seen.target.ends_with(".csv?uploads=");
    let headers = &seen.iter().find(begun).unwrap().headers;
    assert_eq!(headers["content-type"], "text/csv");
    assert_eq!(headers["x-amz-meta-tulip-job"], job);
    let put = |seen: &&Seen| seen.method == "PUT" && seen.target.ends_with(".receipt.json");
    let headers = &seen.iter().find(put).unwrap().headers;
    assert_eq!(headers["content-type"], "application/json");
    let checksum = receipt["checksum"]["value"].as_str().unwrap();
    let kept = &headers["x-amz-meta-tulip-checksum"];
    assert_eq!(*kept, format!("crc64nvme:{checksum}"));
}

#[test]
fn options_and_memory_reach_the_sink() {
    let lake = Lake::start();
    let job = lake.large_job();
    let class = "storage_class=REDUCED_REDUNDANCY";
    let settings = ["--sink-option", class, "--memory", "10MiB"];
    let export = ["export", "--job", &job, "--to", "s3://lake"];
    let ran = lake.run(&[&export[..], &settings].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(lake.server.object(&format!("{job}.csv")).is_some());
    assert_eq!(lake.server.parts().most, 1);
    let seen = lake.server.seen();
    let class = |seen: &Seen| seen.headers.get("x-amz-storage-class").cloned();
    let classes: Vec<_> = seen.iter().filter_map(class).collect();
    assert!(!classes.is_empty() && classes.iter().all(|class| class == "REDUCED_REDUNDANCY"));
}

#[test]
fn an_object_that_is_there_is_kept_or_replaced_as_asked() {
    let lake = Lake::start();
    let job = lake.large_job();
    let export = |rule: &str| {
        let target = ["--to", "s3://lake", "--if-exists", rule];
        lake.run(&[&["export", "--job", &job][..], &target].concat())
    };
    assert_eq!(export("fail").code, Some(0));
    let kept = export("fail");
    assert_eq!(kept.code, Some(5), "{}", kept.stderr);
    assert!(kept.stderr.contains("already exists"), "{}", kept.stderr);
    assert!(
        kept.stderr.contains("\nhint: --if-exists fail"),
        "{}",
        kept.stderr
    );
    let skipped = export("skip");
    assert_eq!(skipped.code, Some(0));
    let said = skipped.stdout;
    assert!(said.contains("skipped s3://lake/"), "{said}");
    assert_eq!(export("overwrite").code, Some(0));
}

#[test]
fn a_wrong_bucket_or_secret_costs_tulip_nothing() {
    let lake = Lake::start();
    let machine = lake.bench.machine().to_string();
    let export = |bucket| ["export", "--machine", &machine, "--to", bucket].map(str::to_owned);
    let mut wrong = lake.command();
    wrong.env("AWS_SECRET_ACCESS_KEY", "wr0ng-secret");
    let args = export("s3://lake");
    let ran = run(&mut wrong, &args.each_ref().map(String::as_str));
    assert_eq!(ran.code, Some(5));
    let said = ran.stderr;
    assert!(said.contains("does not accept the signature"), "{said}");
    assert!(!said.contains("wr0ng-secret"), "{said}");
    lake.server.refuse(|_| Some((404, "NoSuchBucket")));
    let args = export("s3://nowhere");
    let ran = lake.run(&args.each_ref().map(String::as_str));
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("no such bucket"), "{}", ran.stderr);
    assert!(lake.bench.emulator.jobs().is_empty());
}

#[test]
fn a_check_tells_what_a_target_can_do_and_leaves_nothing() {
    let lake = Lake::start();
    let ran = lake.run(&["sinks", "check", "s3://lake/x", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found = &ran.json()[0];
    assert_eq!(found["writable"], true);
    assert_eq!(found["capabilities"]["atomic_create"], true);
    assert!(lake.server.uploads().is_empty());
    let ran = lake.run(&["sinks", "check", "s3://lake/x"]);
    assert!(ran.stdout.contains("OK, writable"), "{}", ran.stdout);
    lake.server.refuse(|_| Some((403, "AccessDenied")));
    let ran = lake.run(&["sinks", "check", "s3://lake/x"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("access denied"), "{}", ran.stderr);
}

/// One download resumes, the other starts over after some of its parts are at the store.
#[test]
fn a_download_that_breaks_off_leaves_one_whole_object_and_no_upload() {
    for (script, uploads) in [
        (JobScript::new(), 1),
        (JobScript::new().without_ranges(), 2),
    ] {
        let lake = Lake::start();
        let job = lake.bench.job(script.rows(LARGE));
        let cut = Fault::Cut { after: 9_000_000 };
        lake.bench.emulator.fail_next(Endpoint::Asset, 1, cut);
        let ran = lake.run(&["export", "--job", job.as_str(), "--to", "s3://lake"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let whole = lake.bench.emulator.content(&job).unwrap().to_bytes();
        assert!(lake.server.object(&format!("{job}.csv")).unwrap() == whole);
        let seen = lake.server.seen();
        let begun = seen.iter().filter(|seen| seen.is_beginning());
        let begun = begun.filter(|seen| seen.target.contains(".csv?")).count();
        assert_eq!(begun, uploads);
        assert_eq!(lake.server.uploads(), Vec::<String>::new());
    }
}

/// The signal arrives after the store has begun an upload and before its answer does.
#[cfg(unix)]
#[test]
fn an_interruption_leaves_no_upload_whose_answer_was_on_the_way() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    use crate::support::with_default_signals;

    for upload in [".tulip-probe", ".csv"] {
        let lake = Lake::start();
        let job = lake.large_job();
        let is_it = |seen: &Seen| seen.is_beginning() && seen.target.contains(upload);
        lake.server.hold_beginnings(upload == ".tulip-probe");
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tulip"));
        let set = lake.command();
        let set = set
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        let mut child = with_default_signals(&mut command)
            .env_clear()
            .envs(set)
            .args(["export", "--job", &job, "--to", "s3://lake"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if upload == ".csv" {
            lake.bench.block_on(lake.server.until(Seen::is_abort));
            lake.server.hold_beginnings(true);
        }
        lake.bench.block_on(lake.server.until_held(is_it));
        let kill = format!("kill -INT {}", child.id());
        let sent = std::process::Command::new("/bin/sh")
            .args(["-c", &kill])
            .status();
        assert!(sent.unwrap().success());
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("stopping") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
        }
        lake.server.hold_beginnings(false);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{upload}");
        assert_eq!(lake.server.uploads(), Vec::<String>::new(), "{upload}");
    }
}

#[test]
fn the_proxy_and_the_ca_file_of_the_command_are_those_of_its_targets() {
    let lake = Lake::start();
    // Only the proxy, which is the server itself, can resolve the store's name.
    let mut proxied = lake.command();
    proxied
        .env("HTTP_PROXY", &lake.server.endpoint)
        .env("AWS_ENDPOINT_URL", "http://store.example")
        .env("AWS_ALLOW_HTTP", "true");
    let ran = run(&mut proxied, &["sinks", "check", "s3://lake/x"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let seen = lake.server.seen();
    assert!(seen[0].target.starts_with("http://store.example/lake/x/"));

    let secure = S3ServerBuilder::default().tls();
    let secure = lake.bench.block_on(secure.start());
    let check = |ca_file: Option<std::path::PathBuf>| {
        let mut command = lake.command();
        command.env("AWS_ENDPOINT_URL", &secure.endpoint);
        if let Some(file) = ca_file {
            command.env("TULIP_CA_FILE", file);
        }
        run(&mut command, &["sinks", "check", "s3://lake/x"])
    };
    let unknown = check(None);
    assert_eq!(unknown.code, Some(5));
    let said = unknown.stderr;
    assert!(said.contains("certificate is not trusted"), "{said}");
    assert_eq!(check(Some(secure.ca_file())).code, Some(0));
}

#[test]
fn options_that_cannot_work_are_usage_errors_and_their_values_are_not_shown() {
    for (url, option, words) in [
        (
            "s3://lake",
            "regoin=s3cret",
            "no option \"regoin\"; it has: region",
        ),
        ("s3://lake", "sse_bucket_key=s3cret", "true or false"),
        (
            "s3://lake",
            "endpoint=https://u:s3cret@h",
            "holds credentials",
        ),
        ("az://lake?account=a", "access_key=s3cret", "settings"),
        (
            "./out",
            "region=s3cret",
            "no option \"region\"; it has: memory",
        ),
        ("s3://lake", "s3cret", "NAME=VALUE"),
    ] {
        let args = ["sinks", "check", url, "--sink-option", option];
        let ran = run(&mut bare(), &args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
}
