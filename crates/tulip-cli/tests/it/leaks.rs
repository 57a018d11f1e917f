//! No secret and no signature reaches output, logs, files or the state, whatever goes wrong and
//! however verbose the command is.

use std::time::Duration;

use tulip_emulator::{Endpoint, Fault, JobScript, RangeFault, Reply};
use tulip_test_s3::{KEY_ID, S3Server, SECRET};

use crate::support::{Bench, Ran, files, run};

/// Texts that appear only in signed URLs or in foreign text that was not cleaned.
const SIGNED: [&str; 5] = [
    "X-Amz-Signature=1",
    "X-Amz-Credential=A",
    "X-Amz-Date=2",
    "p4ss",
    "\u{1b}",
];

struct Leaks {
    bench: Bench,
    runs: Vec<Ran>,
}

impl Leaks {
    fn start() -> Self {
        Self {
            bench: Bench::start(),
            runs: Vec::new(),
        }
    }

    fn run(&mut self, args: &[&str]) {
        let verbose = ["-vvv", "--log-format"];
        let format = ["text", "json"][self.runs.len() % 2];
        let args = [args, &verbose, &[format]].concat();
        self.runs.push(self.bench.run(&args));
    }

    /// Exports one job for each script, all in one run.
    fn export(&mut self, scripts: Vec<JobScript>) {
        let jobs = scripts.into_iter();
        let jobs: Vec<_> = jobs
            .map(|script| self.bench.job(script).to_string())
            .collect();
        let count = jobs.len().to_string();
        let mut args = vec!["export", "--to", "out", "--timeout", "1s"];
        args.extend(["--metrics-file", "tulip.prom", "--report", "report.html"]);
        args.extend(["--read-timeout", "500ms", "--max-bytes", "2MB"]);
        args.extend(["--concurrency", &count, "--job"]);
        args.extend(jobs.iter().map(String::as_str));
        self.run(&args);
    }

    fn assert_nothing_shown(self) {
        let credentials = self.bench.emulator.credentials();
        let header = credentials.basic_header();
        let secrets = [
            credentials.expose_secret(),
            header.strip_prefix("Basic ").unwrap(),
            SECRET,
        ];
        let mut texts: Vec<String> = self.runs.iter().map(|ran| format!("{ran:?}")).collect();
        for folder in [&self.bench.folder, &self.bench.state] {
            let stored = files(folder.path()).into_iter();
            texts.extend(stored.map(|file| {
                let bytes = std::fs::read(&file).unwrap();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                // A database can have any byte in its structure. Its records follow as text.
                match file.ends_with("tulip.db") {
                    true => text.replace('\u{1b}', ""),
                    false => text,
                }
            }));
        }
        texts.extend(self.bench.remembered());
        for text in texts {
            for needle in secrets.into_iter().chain(SIGNED) {
                assert!(!text.contains(needle), "{needle} in {text}");
            }
        }
    }
}

/// Everything that can be wrong with an archive or its job.
fn scripts() -> Vec<JobScript> {
    let script = || JobScript::new().rows(2_000);
    let cut = || script().asset_faults([Fault::Cut { after: 70_000 }]);
    vec![
        script(),
        script().pending_polls(1).chunked(),
        script().pending_until_released(),
        script().fails("no"),
        script().truncated(700),
        script().declared_length(9_999_999),
        script().url_requests(0),
        script().url_bytes(70_000),
        script().revoked_urls(1),
        script().gzip(),
        script().unresolvable(),
        script().url_https(),
        script().complete_without_resource(99),
        script().statuses(["zip https://h/x?X-Amz-Signature=1\u{1b}[2J", "complete"]),
        script().fails("see https://h/a'b?X-Amz-Signature=1 or /x?X-Amz-Signature=p4ss"),
        script().resource("https://u:p4ss@h.invalid/x?X-Amz-Signature=1"),
        script().resource("ftp://h.invalid/x?X-Amz-Signature=1"),
        script().resource("http://169.254.169.254/x?X-Amz-Signature=1"),
        // Once each: a busy host holds back all other exports, too.
        script().asset_faults([Reply::slow_down()]),
        script().status_faults([Reply::busy(429).retry_after(Duration::from_secs(1))]),
        cut(),
        cut().without_ranges(),
        cut().asset_always(Fault::Replaced),
        cut().asset_always(Fault::Range(RangeFault::Shifted { by: 7 })),
        cut().asset_always(Fault::Range(RangeFault::Missing)),
    ]
}

fn faults() -> Vec<Fault> {
    let away = "http://u:p4ss@h.invalid/x?X-Amz-Signature=1";
    vec![
        Fault::Hangup,
        Fault::Reset { after: 70_000 },
        Fault::Stall { after: 70_000 },
        Fault::Expire { after: 70_000 },
        Fault::Endless,
        Fault::RedirectLoop,
        Reply::redirect(302, away).into(),
        Reply::html(200, "<title>X-Amz-Signature=1</title>").into(),
        Reply::expired(403).into(),
        Reply::error(400, "Bad", "GET https://h/x?X-Amz-Signature=1").into(),
        Reply::error(500, "Internal", "X-Amz-Signature=1").into(),
    ]
}

#[test]
fn no_failure_of_an_archive_or_its_job_shows_a_secret_or_a_signature() {
    let mut leaks = Leaks::start();
    leaks.export(scripts());
    leaks.assert_nothing_shown();
}

#[test]
fn no_failure_of_a_host_shows_a_secret_or_a_signature() {
    let mut leaks = Leaks::start();
    let script = || JobScript::new().rows(2_000);
    let of_assets = faults()
        .into_iter()
        .map(|fault| script().asset_always(fault));
    let of_calls = faults().into_iter();
    let of_calls = of_calls.map(|fault| script().status_faults(vec![fault; 9]));
    leaks.export(of_assets.chain(of_calls).collect());
    leaks.assert_nothing_shown();
}

#[test]
fn no_command_shows_a_secret_or_a_signature() {
    let mut leaks = Leaks::start();
    let credentials = leaks.bench.emulator.credentials();
    let token = credentials.basic_header();
    let token = token.strip_prefix("Basic ").unwrap();
    let secret = credentials.expose_secret();
    let echo = Reply::error(400, "Bad", &format!("you sent {token} with {secret}"));
    let machine = leaks.bench.machine();
    let lost = Fault::LostReply;
    leaks.bench.emulator.fail_next(Endpoint::Start, 1, lost);
    let export = ["export", "--machine", machine.as_str(), "--to", "out"];
    leaks.run(&export);
    leaks.run(&export);
    leaks.run(&["resume", "--list"]);
    leaks.run(&["resume"]);
    leaks.run(&["resume", "--discard", "--to", "out"]);
    // An archive that is left for later: no run waits for an hour or holds back other exports.
    let later = Reply::xml(500, "InternalError", "Please try again.");
    let later = later.retry_after(Duration::from_secs(3600));
    let script = JobScript::new().rows(2_000).asset_always(later);
    leaks.bench.emulator.script_next(script);
    leaks.run(&export);
    leaks.run(&["resume", "--list", "--json"]);
    leaks.run(&["resume", "--json"]);
    leaks.run(&["export", "--all", "--to", "out", "--json"]);
    let job = leaks.bench.emulator.jobs()[0].id.clone();
    leaks.run(&["status", job.as_str(), "--json"]);
    leaks.run(&["verify", "out", "--json"]);
    leaks.run(&["sinks"]);
    leaks.run(&["sinks", "check", "out"]);
    leaks.run(&["machines"]);
    for fault in [echo.into(), Fault::Hangup] {
        leaks.bench.emulator.fail_next(Endpoint::Machines, 1, fault);
        leaks.run(&["machines", "--json"]);
    }
    leaks.run(&["demo", "--rows", "10", "--to", "demo"]);
    leaks.assert_nothing_shown();
}

#[test]
fn no_failure_of_a_store_shows_a_secret_or_a_signature() {
    let mut leaks = Leaks::start();
    let server = leaks.bench.block_on(S3Server::start());
    let refusals = [
        ("PUT", 403, "AccessDenied"),
        ("PUT", 400, "SignatureDoesNotMatch"),
        ("POST", 403, "InvalidAccessKeyId"),
        ("GET", 501, "NotImplemented"),
        ("NONE", 500, "InternalError"),
    ];
    for (method, status, code) in refusals {
        server.refuse(move |seen| (seen.method.as_str() == method).then_some((status, code)));
        for command in [["export", "--to"], ["verify", ""], ["sinks", "check"]] {
            let mut runs = leaks.bench.command();
            runs.env("AWS_ACCESS_KEY_ID", KEY_ID)
                .env("AWS_SECRET_ACCESS_KEY", SECRET)
                .env("AWS_ENDPOINT_URL", &server.endpoint);
            let job = leaks.bench.job(JobScript::new().rows(2_000)).to_string();
            let mut args: Vec<&str> = command.into_iter().filter(|arg| !arg.is_empty()).collect();
            args.extend(["s3://lake/tulip", "-vvv"]);
            if command[0] == "export" {
                args.extend(["--job", &job]);
            }
            leaks.runs.push(run(&mut runs, &args));
        }
    }
    leaks.assert_nothing_shown();
}
