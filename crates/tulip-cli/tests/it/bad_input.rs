//! Every wrong input exits with 2 and a message that says what to do.

use tulip_emulator::JobScript;

use crate::support::{Bench, bare, run};

const EXPORT: [&str; 5] = ["export", "--job", "j", "--to", "out"];

#[track_caller]
fn refused(environment: &[(&str, &str)], args: &[&str], says: &str) {
    let mut command = bare();
    command.envs(environment.iter().copied());
    let ran = run(&mut command, args);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains(says), "{says} is not in {}", ran.stderr);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

const BASE: (&str, &str) = ("TULIP_BASE_URL", "http://127.0.0.1:9");
const KEY: (&str, &str) = ("TULIP_API_KEY", "apikey.2_a");
const SECRET: (&str, &str) = ("TULIP_API_SECRET", "s3cret");

#[test]
fn missing_or_malformed_credentials() {
    refused(&[], &EXPORT, "set TULIP_BASE_URL");
    refused(
        &[BASE],
        &EXPORT,
        "set TULIP_API_KEY and TULIP_API_SECRET, or TULIP_AUTH",
    );
    refused(
        &[BASE, KEY],
        &EXPORT,
        "TULIP_API_KEY is set but TULIP_API_SECRET is not",
    );
    refused(
        &[BASE, SECRET],
        &["machines"],
        "TULIP_API_SECRET is set but TULIP_API_KEY is not",
    );
    refused(
        &[BASE, ("TULIP_AUTH", "Bearer s3cret")],
        &EXPORT,
        "its scheme is not Basic",
    );
    refused(
        &[BASE, ("TULIP_AUTH", "s3cret!")],
        &EXPORT,
        "it is not base64",
    );
    refused(
        &[BASE, ("TULIP_API_KEY", "a:b"), SECRET],
        &EXPORT,
        "the API key holds a colon",
    );
    let missing = ("TULIP_API_SECRET_FILE", "/nowhere/secret");
    refused(
        &[BASE, KEY, missing],
        &EXPORT,
        "cannot read /nowhere/secret",
    );
    refused(&[BASE, KEY, SECRET, missing], &EXPORT, "are both set");
}

#[test]
fn secrets_in_the_wrong_place_are_not_echoed() {
    refused(
        &[("TULIP_BASE_URL", "s3cretWithoutAnyDot"), KEY, SECRET],
        &EXPORT,
        "it has no scheme",
    );
    let workspace = ("TULIP_WORKSPACE_ID", "two words of a s3cret");
    refused(
        &[BASE, KEY, SECRET, workspace],
        &EXPORT,
        "does not hold a workspace id",
    );
}

#[test]
fn flags_go_before_the_environment_and_are_named_as_given() {
    let header = ("TULIP_AUTH", "Basic YXBpa2V5LjJfYWI6czNjcmV0");
    let args = ["machines", "--api-key", "other"];
    refused(
        &[BASE, header],
        &args,
        "there is an API key but no secret; both are needed",
    );
    refused(
        &[BASE, KEY, SECRET],
        &["machines", "--base-url", "acme.tulip.co"],
        "--base-url: ",
    );
    let bench = Bench::start();
    let credentials = bench.emulator.credentials();
    let mut command = bench.command();
    command
        .env("TULIP_AUTH", header.1)
        .env("TULIP_BASE_URL_FILE", "/nowhere");
    let base = bench.emulator.base_url().to_string();
    let args = [
        "machines",
        "--api-key",
        credentials.key(),
        "--base-url",
        &base,
    ];
    let ran = run(&mut command, &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn credentials_are_not_sent_in_clear_to_another_machine_unless_that_is_allowed() {
    // TEST-NET-1: no host is there, and none may be asked.
    let elsewhere = ("TULIP_BASE_URL", "http://192.0.2.1:9");
    let given = [elsewhere, KEY, SECRET];
    refused(&given, &["machines"], "would be sent in clear");
    refused(&given, &EXPORT, "--allow-insecure-http");
    // The address was accepted: the error is about the next mistake.
    let mut allowed = given.to_vec();
    allowed.push(("TULIP_CA_FILE", "/nowhere/ca.pem"));
    let args = ["machines", "--allow-insecure-http"];
    refused(&allowed, &args, "cannot use the CA file /nowhere/ca.pem");
}

#[test]
fn base_urls_that_are_none() {
    for (url, says) in [
        ("acme.tulip.co", "did you mean https://acme.tulip.co?"),
        (
            "https://acme.tulip.co/dashboard",
            "leave that out: https://acme.tulip.co",
        ),
        (
            "https://acme.tulip.co/api/v3",
            "leave it out: https://acme.tulip.co",
        ),
        ("https://me:s3cret@acme.tulip.co", "a user name or password"),
        ("ftp://acme.tulip.co", "scheme \"ftp\""),
    ] {
        refused(&[("TULIP_BASE_URL", url), KEY, SECRET], &EXPORT, says);
        refused(&[BASE, KEY, SECRET], &["machines", "--base-url", url], says);
    }
}

#[test]
fn job_ids_that_are_none() {
    let set = [BASE, KEY, SECRET];
    for (id, says) in [
        ("", "job id is empty"),
        ("a/b", "holds '/'"),
        ("..", "is a path segment"),
        ("a b", "holds ' '"),
        (" ", "holds ' '"),
    ] {
        refused(&set, &["export", "--job", id, "--to", "out"], says);
        refused(&set, &["status", id], says);
    }
    for blank in ["", " ", "m1,,m2"] {
        refused(
            &set,
            &["export", "--machine", blank, "--to", "out"],
            "it is blank",
        );
    }
    refused(
        &set,
        &["machines", "--workspace", "a/b"],
        "--workspace is not a workspace id",
    );
}

#[test]
fn a_job_id_that_is_not_ascii_is_asked_for_and_unknown() {
    let bench = Bench::start();
    let ran = bench.run(&["status", "größe"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("job größe not found"), "{ran:?}");
    let path = &bench.emulator.requests().api[0].path;
    assert!(path.ends_with("/csv/gr%C3%B6%C3%9Fe"), "{path}");
}

#[test]
fn targets_and_templates_that_are_none() {
    let set = [BASE, KEY, SECRET];
    let to = |target| ["export", "--job", "j", "--to", target];
    refused(
        &set,
        &to("pigeon://loft"),
        "no sink has the scheme \"pigeon\"; there are: az, file, gs, s3, s3a",
    );
    refused(&set, &to("s3:///x"), "the target names no bucket");
    refused(&set, &to(""), "the target is empty");
    refused(&set, &to("file://data/out"), "three slashes");
    refused(&set, &to("file:///out?fsync=no"), "no option \"fsync\"");
    let name = |template| ["export", "--job", "j", "--to", "out", "--name", template];
    refused(
        &set,
        &name("{serial}.csv"),
        "unknown field {serial}; known are {machine}, ",
    );
    refused(&set, &name("{job"), "an unmatched brace");
    refused(&set, &name("../{job}.csv"), "segment");
    refused(&set, &name("/{job}.csv"), "is absolute");
    refused(&set, &name("{machine}.csv"), "not known for job j");
    let same = [
        "export",
        "--job",
        "j",
        "k",
        "--to",
        "out",
        "--name",
        "{date}.csv",
    ];
    refused(&set, &same, "job j and job k would both be stored as ");
    refused(&set, &to("s3:lake/x"), "s3: is not followed by //");
}

#[test]
fn a_container_without_certificates_is_no_reason_to_fail() {
    let nowhere = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let set = [&[BASE, KEY, SECRET], nowhere.as_slice()].concat();
    // The client is built before the target is checked.
    let args = ["export", "--job", "j", "--to", "pigeon://loft"];
    refused(&set, &args, "no sink has the scheme");
}

#[test]
fn numbers_and_durations_that_are_none() {
    let set = [BASE, KEY, SECRET];
    let with = |flag, value| ["export", "--all", "--to", "out", flag, value];
    refused(&set, &with("--concurrency", "0"), "it must be at least 1");
    refused(&set, &with("--concurrency", "many"), "expected a number");
    let huge = with("--attempts", "99999999999");
    refused(&set, &huge, "the number is too large");
    refused(&set, &with("--max-bytes", "0"), "it must be more than 0");
    refused(&set, &with("--timeout", "90"), "write 90s, 90m or 90h");
    refused(&set, &with("--timeout", "soon"), "such as 90s, 10m or 1h");
    refused(&set, &with("--min-rate", "fast"), "a size such as");
    refused(
        &set,
        &with("--digest", "md5"),
        "possible values: crc64nvme, sha256",
    );
    refused(
        &set,
        &with("--if-exists", "ask"),
        "[possible values: skip, overwrite, fail]",
    );
    refused(&set, &with("--read-timeout", "0"), "it must be more than 0");
    refused(&set, &["export", "--to", "out"], "--all");
    refused(
        &set,
        &["export", "--all", "--job", "j", "--to", "out"],
        "cannot be used with",
    );
    refused(&set, &["export", "--all"], "--to");
    let ca = ["machines", "--ca-file", "/nowhere/ca.pem"];
    refused(&set, &ca, "cannot use the CA file /nowhere/ca.pem");
}

#[test]
fn an_emulator_of_impossible_size_is_refused() {
    for (args, says) in [
        (
            ["emulate", "--machines", "18446744073709551615"],
            "at most 100000 machines",
        ),
        (
            ["demo", "--rows", "18446744073709551615"],
            "rows are more than",
        ),
    ] {
        let ran = run(&mut bare(), &args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
}

#[test]
fn a_deadline_of_zero_is_none_and_is_said() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().pending_polls(1));
    let ran = bench.run(&[
        "export",
        "--job",
        job.as_str(),
        "--to",
        "out",
        "--timeout",
        "0",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("no timeout"), "{ran:?}");
}

#[test]
fn a_resource_that_is_no_url_is_the_jobs_failure() {
    let bench = Bench::start();
    let job = bench.job(JobScript::new().resource("/tmp/s3cret.csv"));
    let ran = bench.run(&["export", "--job", job.as_str(), "--to", "out"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr
            .contains("the resource that Tulip sent is not a URL"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
}
