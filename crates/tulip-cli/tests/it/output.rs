use serde_json::json;
use tulip_emulator::JobScript;

use crate::support::{Bench, bare, files, run};

#[test]
fn json_is_one_object_per_export_whatever_came_of_it() {
    let bench = Bench::start();
    let good = bench.job(JobScript::new());
    let bad = bench.job(JobScript::new().fails("out of disk"));
    let args = [
        "export",
        "--json",
        "--to",
        "out",
        "--job",
        good.as_str(),
        bad.as_str(),
    ];
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(1));
    let mut objects = ran.json();
    objects.sort_by_key(|object| object["exit_code"].as_u64());
    let [exported, failed] = objects.as_slice() else {
        panic!("{objects:?}");
    };
    assert_eq!(exported["outcome"], "stored");
    assert_eq!(exported["location"], bench.path(&format!("out/{good}.csv")));
    assert_eq!(exported["receipt"]["records"], 1000);
    let receipt = std::fs::read(bench.path(&format!("out/_{good}.csv.receipt.json"))).unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&receipt).unwrap();
    assert_eq!(exported["receipt"], stored);
    assert_eq!(failed["outcome"], "failed_at_tulip");
    assert_eq!(
        (&failed["job"], &failed["exit_code"]),
        (&json!(bad.as_str()), &json!(4))
    );
    assert_eq!(failed["error_kind"], "job_failed");
    assert_eq!(failed["retryable"], false);
    assert!(failed["error"].as_str().unwrap().contains("out of disk"));
}

#[test]
fn all_machines_are_listed_exported_and_then_skipped() {
    let bench = Bench::start();
    let machines = bench.run(&["machines", "--json"]).json();
    assert_eq!(machines.len(), 3);
    let listed = bench.run(&["machines"]).stdout;
    for machine in &machines {
        for field in ["id", "name", "type"] {
            assert!(
                listed.contains(machine[field].as_str().unwrap()),
                "{listed}"
            );
        }
    }
    let name = "{machine_type}/{machine_name}.csv";
    let args = [
        "export",
        "--all",
        "--to",
        "out",
        "--name",
        name,
        "--if-exists",
        "skip",
        "--json",
    ];
    let first = bench.run(&args);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first
            .json()
            .iter()
            .all(|object| object["outcome"] == "stored")
    );
    // An archive and a receipt for each, and the manifest of the run.
    assert_eq!(files(bench.folder.path()).len(), 7);
    for machine in &machines {
        let (kind, name) = (
            machine["type"].as_str().unwrap(),
            machine["name"].as_str().unwrap(),
        );
        assert!(std::path::Path::new(&bench.path(&format!("out/{kind}/{name}.csv"))).is_file());
    }
    let started = bench.emulator.jobs().len();
    let second = bench.run(&args);
    assert!(
        second
            .json()
            .iter()
            .all(|object| object["outcome"] == "unchanged"),
        "{second:?}"
    );
    assert!(
        second
            .json()
            .iter()
            .all(|object| object["has_receipt"] == true)
    );
    assert_eq!(bench.emulator.jobs().len(), started);
}

#[test]
fn one_machine_is_exported_by_name_and_digest() {
    let bench = Bench::start();
    let machine = bench.machine();
    let names = bench.run(&["machines", "--json"]).json();
    let args = [
        "export",
        "--machine",
        machine.as_str(),
        "--to",
        "file-out",
        "--digest",
        "sha256",
        "--name",
        "{machine_name}/{date}.csv",
        "--json",
    ];
    let ran = bench.run(&args);
    let object = &ran.json()[0];
    let key = object["receipt"]["object"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let name = names.iter().find(|m| m["id"] == machine.as_str()).unwrap()["name"]
        .as_str()
        .unwrap();
    assert!(key.starts_with(&format!("{name}/20")), "{key}");
    assert_eq!(object["receipt"]["checksum"]["algorithm"], "sha256");
}

#[test]
fn a_target_can_be_a_path_or_a_file_url() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new());
    let absolute = bench.path("absolute");
    let url = format!("file://{}", bench.path("by%20url"));
    for (target, folder) in [
        ("./relative", "relative"),
        (&absolute, "absolute"),
        (&url, "by url"),
    ] {
        let ran = bench.run(&["export", "--job", job.as_str(), "--to", target]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(std::path::Path::new(&bench.path(&format!("{folder}/{job}.csv"))).is_file());
    }
}

#[test]
fn a_job_is_told_and_waited_for() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().statuses(["zipping", "complete"]));
    let ran = bench.run(&["status", job.as_str()]);
    assert_eq!(
        (ran.code, ran.stdout),
        (Some(0), format!("job {job}: zipping\n"))
    );
    let ran = bench.run(&["status", job.as_str(), "--wait", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let expected = json!({
        "job": job.as_str(), "status": "complete", "complete": true, "failed": false, "downloadable": true,
    });
    assert_eq!(ran.json(), [expected]);
}

#[test]
fn credentials_come_in_every_documented_form() {
    let bench = Bench::start();
    let credentials = bench.emulator.credentials();
    let base = bench.emulator.base_url().to_string();
    let header = credentials.basic_header();
    for pasted in [header.as_str(), header.strip_prefix("Basic ").unwrap()] {
        let mut command = bare();
        command.env("TULIP_AUTH", pasted);
        assert_eq!(
            run(&mut command, &["machines", "--base-url", &base]).code,
            Some(0)
        );
    }
    let secret = bench.path("secret");
    std::fs::write(&secret, format!("{}\n", credentials.expose_secret())).unwrap();
    let mut command = bare();
    command
        .env("TULIP_API_SECRET_FILE", &secret)
        .env("TULIP_BASE_URL", "http://127.0.0.1:9");
    let args = [
        "machines",
        "--base-url",
        &base,
        "--api-key",
        credentials.key(),
    ];
    let ran = run(&mut command, &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let account = bench.emulator.account_credentials();
    let workspace = bench.emulator.workspace().to_string();
    let ran = run(
        &mut bench.command_as(&account),
        &["machines", "--workspace", &workspace],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn the_demo_leaves_archives_with_receipts_and_says_what_to_try_next() {
    let bench = Bench::start();
    let mut command = bare();
    command.current_dir(bench.folder.path());
    let ran = run(&mut command, &["demo", "--machines", "2", "--rows", "50"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found = files(&bench.folder.path().join("tulip-demo"));
    assert_eq!(
        found.iter().filter(|file| file.ends_with(".csv")).count(),
        2
    );
    assert_eq!(
        found
            .iter()
            .filter(|file| file.ends_with(".csv.receipt.json"))
            .count(),
        2
    );
    assert_eq!(ran.stdout.lines().count(), 3, "{ran:?}");
    assert!(ran.stderr.contains("Next, "), "{ran:?}");
}

#[test]
fn an_emulator_on_this_machine_is_reached_past_a_proxy() {
    let bench = Bench::start();
    let mut command = bench.command();
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    let job = bench.job(JobScript::new());
    let ran = run(
        &mut command,
        &["export", "--job", job.as_str(), "--to", "out"],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Lists the machines of `instance` through a proxy that answers `reply`. Also returns the head of
/// the request that the proxy received.
fn through_a_proxy(instance: &str, reply: &'static str) -> (crate::support::Ran, String) {
    use std::io::{BufRead as _, Write as _};
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let seen = std::thread::spawn(move || {
        let (mut socket, _) = proxy.accept().unwrap();
        let mut reader = std::io::BufReader::new(socket.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        socket.write_all(reply.as_bytes()).unwrap();
        head
    });
    let mut command = bare();
    for name in ["http_proxy", "https_proxy"] {
        command.env(name, format!("http://{address}"));
    }
    command
        .env("TULIP_BASE_URL", instance)
        .env("TULIP_AUTH", "YXBpa2V5LjJfYWI6czNjcmV0");
    let args = ["machines", "--json", "--allow-insecure-http"];
    let ran = run(&mut command, &args);
    (ran, seen.join().unwrap())
}

#[test]
fn other_instances_are_reached_through_the_systems_proxy() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
    let (ran, head) = through_a_proxy("http://acme.tulip.invalid", reply);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = "GET http://acme.tulip.invalid/api/v3/machines HTTP/1.1";
    assert!(head.starts_with(line), "{head}");
}

#[test]
fn a_proxy_does_not_see_the_credentials_of_an_instance_on_https() {
    let refusal = "HTTP/1.1 400 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (ran, head) = through_a_proxy("https://acme.tulip.invalid", refusal);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        head.starts_with("CONNECT acme.tulip.invalid:443 "),
        "{head}"
    );
    let shown = format!("{head}{ran:?}");
    assert!(
        !shown.to_ascii_lowercase().contains("authorization"),
        "{shown}"
    );
    assert!(
        !shown.contains("YXBp") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_costs_no_archive() {
    let bench = Bench::start();
    let credentials = bench.emulator.credentials();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tulip"));
    command
        .args([
            "export",
            "--all",
            "--to",
            "out",
            "--json",
            "--concurrency",
            "1",
        ])
        .env_clear()
        .current_dir(bench.folder.path())
        .env("TULIP_STATE", bench.state.path())
        .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret())
        .stdout(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
    let files = files(bench.folder.path());
    assert_eq!(files.len(), 7);
    let manifest = files.iter().find(|name| name.contains("_runs"));
    let manifest = std::fs::read(manifest.unwrap()).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["counts"]["stored"], 3);
}

#[test]
fn a_failed_job_that_was_waited_for_is_told_as_json() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().pending_polls(1).fails("out of disk"));
    let ran = bench.run(&["status", job.as_str(), "--wait", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(
        (&ran.json()[0]["failed"], &ran.json()[0]["details"]),
        (&json!(true), &json!("out of disk"))
    );
}

#[test]
fn sinks_are_listed() {
    let ran = run(&mut bare(), &["sinks"]);
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(
        ran.stdout.contains("file") && ran.stdout.contains("./out"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("Options of s3 and s3a:"), "{ran:?}");
    let ran = run(&mut bare(), &["sinks", "--json"]);
    let sinks = ran.json();
    let schemes: Vec<_> = sinks.iter().map(|sink| &sink["scheme"]).collect();
    assert_eq!(schemes, ["az", "file", "gs", "s3", "s3a", "stdout"]);
    let s3 = &sinks[3];
    assert_eq!(
        (&s3["feature"], &s3["capabilities"]["lookup"]),
        (&json!("s3"), &json!(true))
    );
    assert_eq!(s3["options"][0]["name"], "region");
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&mut bare(), &["completions", shell]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("if-exists"), "{shell}");
    }
}

#[test]
fn every_command_that_help_lists_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    let ran = run(&mut bare(), &["man", pages.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let help = run(&mut bare(), &["--help"]).stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.split_whitespace().next());
    let page = |name: &str| std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
    for command in commands.filter(|command| *command != "help") {
        let page = page(&format!("tulip-{command}"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(page("tulip-sinks-check").contains(".SH DESCRIPTION"));
    // Tables keep their line breaks.
    assert!(page("tulip").contains("\n  130  interrupted\n"));
    // There is no option for a secret.
    assert!(!page("tulip-export").contains("\\-\\-api\\-secret\\fR"));
}

#[test]
fn man_pages_that_cannot_be_written_are_an_error_that_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ran = run(&mut bare(), &["man", file.to_str().unwrap()]);
    let message = format!("cannot write man pages to {}", file.display());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&message), "{ran:?}");
}

#[test]
fn help_teaches_with_examples_and_documents_exit_codes() {
    let help = run(&mut bare(), &["--help"]).stdout;
    for part in [
        "tulip demo",
        "TULIP_API_SECRET",
        "130  interrupted",
        "Exit codes:",
    ] {
        assert!(help.contains(part), "{help}");
    }
    for command in ["export", "demo", "emulate", "status", "completions", "man"] {
        let help = run(&mut bare(), &[command, "--help"]).stdout;
        assert!(help.contains("Examples:"), "{help}");
    }
    assert!(
        !run(&mut bare(), &["export", "--help"])
            .stdout
            .contains("--secret")
    );
}

#[test]
fn log_lines_are_json_on_request() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().pending_polls(1).fails("out of disk"));
    let args = [
        "export",
        "--job",
        job.as_str(),
        "--to",
        "out",
        "-vv",
        "--log-format",
        "json",
    ];
    let ran = bench.run(&args);
    assert!(ran.stderr.lines().count() > 2, "{ran:?}");
    let lines = ran.stderr.lines();
    let lines: Vec<serde_json::Value> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(
        lines.iter().all(|line| line["timestamp"].is_string()),
        "{ran:?}"
    );
    // Without `-v`, the failure is still logged, as an error.
    let ran = bench.run(&[
        "export",
        "--job",
        job.as_str(),
        "--to",
        "out",
        "--log-format",
        "json",
    ]);
    let line: serde_json::Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(
        line["fields"]["message"]
            .as_str()
            .unwrap()
            .contains("out of disk"),
        "{line}"
    );
}
