//! No secret and no signature reaches output, logs or files, however verbose the command is.

use tulip_emulator::{Endpoint, JobScript, Reply};

use crate::support::{Bench, files};

/// What only a signed URL has.
const SIGNED: [&str; 4] = [
    "X-Amz-Signature=1",
    "X-Amz-Credential=A",
    "X-Amz-Date=2",
    "\u{1b}",
];

#[test]
fn neither_success_nor_failure_shows_a_secret_or_a_signature() {
    let bench = Bench::start();
    let secret = bench.emulator.credentials().expose_secret().to_owned();
    let header = bench.emulator.credentials().basic_header();
    let token = header.strip_prefix("Basic ").unwrap().to_owned();
    let echo = Reply::error(
        400,
        "BadRequest",
        &format!("you sent {token} with {secret}"),
    );
    let scripts = [
        JobScript::new(),
        JobScript::new().pending_polls(1).chunked(),
        JobScript::new().fails("no"),
        JobScript::new().truncated(700),
        JobScript::new().declared_length(9_999_999),
        JobScript::new().url_requests(0),
        JobScript::new().statuses(["zip https://h/x?X-Amz-Signature=1\u{1b}[2J", "complete"]),
        JobScript::new().fails("see https://h/a'b?X-Amz-Signature=1 or /x?X-Amz-Signature=p4ss"),
        JobScript::new().resource("https://u:p4ss@h.invalid/x?X-Amz-Signature=1"),
        JobScript::new().resource("ftp://h.invalid/x?X-Amz-Signature=1"),
    ];
    let mut runs = Vec::new();
    for script in scripts {
        let job = bench.job(script);
        bench.emulator.clear_faults();
        for command in ["export", "status"] {
            let args: &[&str] = match command {
                "export" => &[
                    "export",
                    "--to",
                    "out",
                    "-vvv",
                    "--timeout",
                    "3s",
                    "--job",
                    job.as_str(),
                ],
                _ => &["status", "-vvv", "--json", job.as_str()],
            };
            runs.push(bench.run(args));
        }
    }
    let busy = Reply::error(503, "SlowDown", "slow down");
    bench.emulator.fail_next(Endpoint::Asset, 1, busy);
    let job = bench.job(JobScript::new());
    runs.push(bench.run(&["export", "--to", "out", "-vvv", "--job", job.as_str()]));
    bench.emulator.fail_next(Endpoint::Machines, 1, echo);
    runs.push(bench.run(&["machines", "-vvv"]));
    runs.push(bench.run(&[
        "export",
        "--all",
        "--to",
        "out",
        "-vvv",
        "--log-format",
        "json",
    ]));
    let mut texts: Vec<String> = runs.iter().map(|ran| format!("{ran:?}")).collect();
    let stored = files(bench.folder.path());
    assert!(stored.iter().any(|file| file.ends_with(".receipt.json")));
    texts.extend(
        stored
            .iter()
            .map(|file| std::fs::read_to_string(file).unwrap()),
    );
    for text in texts {
        for needle in [secret.as_str(), token.as_str(), "p4ss"]
            .into_iter()
            .chain(SIGNED)
        {
            assert!(!text.contains(needle), "{needle} in {text}");
        }
    }
}
