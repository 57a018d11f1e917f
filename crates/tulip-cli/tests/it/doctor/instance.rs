//! Faults on the way to Tulip, and faults of the token.

use std::time::{Duration, SystemTime};

use tulip_core::{Credentials, Scope};
use tulip_emulator::{Endpoint, Fault, Reply, TokenKind};
use tulip_test_s3::S3ServerBuilder;

use super::{assert_fails, assert_warns, servers};
use crate::support::{Bench, refusing};

#[test]
fn settings_that_are_missing_or_wrong() {
    let bench = Bench::start();
    let empty = bench.path("empty");
    std::fs::write(&empty, "\n").unwrap();
    for (variable, value, check, says) in [
        ("TULIP_BASE_URL", "", "base_url", "no instance"),
        (
            "TULIP_BASE_URL",
            "acme.tulip.co",
            "base_url",
            "https://acme.tulip.co",
        ),
        (
            "TULIP_BASE_URL",
            "http://tulip.example",
            "base_url",
            "sent in clear",
        ),
        (
            "TULIP_BASE_URL",
            "\"https://acme.tulip.co",
            "base_url",
            "an unmatched quote",
        ),
        ("TULIP_API_KEY", "", "credentials", "TULIP_API_KEY"),
        ("TULIP_API_SECRET", "", "credentials", "TULIP_API_SECRET"),
        ("TULIP_API_KEY_FILE", &empty, "credentials", "both set"),
        ("TULIP_AUTH_FILE", &empty, "credentials", "is empty"),
        (
            "TULIP_AUTH_FILE",
            "/nowhere/auth",
            "credentials",
            "cannot read",
        ),
        ("TULIP_WORKSPACE_ID", "a/b", "workspace", "one word"),
        (
            "TULIP_CA_FILE",
            "/nowhere/ca.pem",
            "ca_file",
            "/nowhere/ca.pem",
        ),
        ("TULIP_CA_FILE", &empty, "ca_file", "no PEM certificate"),
    ] {
        assert_fails(bench.command().env(variable, value), &[], check, says);
    }
}

#[test]
fn config_files_that_cannot_be_used() {
    let bench = Bench::start();
    let write = |text: &str| std::fs::write(bench.path("mine.toml"), text).unwrap();
    let config = &["--config", "mine.toml"];
    assert_fails(
        &mut bench.command(),
        config,
        "config",
        "there is no config file",
    );
    write("bas_url = 1\n");
    assert_fails(
        &mut bench.command(),
        config,
        "config",
        "mine.toml:1: unknown setting",
    );
    write("concurrency = 2\n");
    let profile = &["--config", "mine.toml", "--profile", "night"];
    assert_fails(&mut bench.command(), profile, "config", "no profile");
    std::fs::write(bench.path("tulip.toml"), "concurrency = 2\n").unwrap();
    assert_fails(&mut bench.command(), &[], "config", "is not trusted");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::start();
    let path = bench.path("mine.toml");
    std::fs::write(&path, "api_secret = \"s3cret\"\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let args = &["--config", "mine.toml"];
    assert_warns(&mut bench.command(), args, "config", "chmod 600");
}

#[test]
fn hosts_that_cannot_be_reached_or_are_not_trusted() {
    let bench = Bench::start();
    let tls = bench.block_on(S3ServerBuilder::default().tls().start());
    let plain = servers::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (url, check, says) in [
        (
            format!("http://{}", refusing()),
            "connection",
            "connection refused",
        ),
        (
            format!("http://{}", servers::silent()),
            "connection",
            "timed out",
        ),
        (
            "https://tulip.invalid".to_owned(),
            "connection",
            "could not connect",
        ),
        (tls.endpoint.clone(), "tls", "certificate"),
        (format!("https://{plain}"), "tls", "TLS"),
    ] {
        let args = ["--base-url", &url, "--read-timeout", "2s"];
        assert_fails(&mut bench.command(), &args, check, says);
    }
}

#[test]
fn what_answers_in_place_of_tulip() {
    let bench = Bench::start();
    let page = "<html><title>Access denied: your IP address is not allowed</title></html>";
    for (reply, says) in [
        (Reply::html(403, page), "your IP address is not allowed"),
        (Reply::html(200, "<title>Sign in</title>"), "Sign in"),
        (
            Reply::redirect(302, "https://login.example/x?token=s3cret"),
            "login.example",
        ),
        (
            Reply::html(404, "<title>No such site</title>"),
            "No such site",
        ),
        (Reply::busy(503), "server error (HTTP 503)"),
        (Reply::busy(429), "too many requests"),
        (Reply::new(200).body("["), "the JSON is cut off"),
    ] {
        bench.emulator.fail_next(Endpoint::Machines, 1, reply);
        assert_fails(&mut bench.command(), &[], "api", says);
        bench.emulator.clear_faults();
    }
    bench
        .emulator
        .fail_next(Endpoint::Machines, 1, Fault::Hangup);
    assert_fails(&mut bench.command(), &[], "connection", "connection lost");
}

#[test]
fn tokens_that_are_refused_or_of_the_other_kind() {
    let bench = Bench::start();
    let stranger = Credentials::new("apikey.2_nobody", "wr0ng").unwrap();
    let mut command = bench.command_as(&stranger);
    assert_fails(&mut command, &[], "read_scope", "errorUniqueID");
    let issue = |kind, scopes: &[Scope]| bench.emulator.issue_token(kind, scopes).unwrap();
    let writer = issue(TokenKind::Workspace, &[Scope::MachinesWrite]);
    let mut command = bench.command_as(&writer);
    assert_fails(&mut command, &[], "read_scope", "machines:read");
    let unauthorized = Reply::error(401, "Unauthorized", "Basic is required");
    bench
        .emulator
        .fail_next(Endpoint::Machines, 1, unauthorized);
    assert_fails(
        &mut bench.command(),
        &[],
        "credentials",
        "Basic is required",
    );
    // Account tokens need their workspace; others must not have one.
    let account = bench.emulator.account_credentials();
    for (workspace, says) in [
        ("", "an account token needs one"),
        ("ELSEWHERE", "not for ELSEWHERE, but for DEFAULT"),
    ] {
        let mut command = bench.command_as(&account);
        command.env("TULIP_WORKSPACE_ID", workspace);
        assert_fails(&mut command, &[], "workspace", says);
    }
    let mut command = bench.command();
    command.env("TULIP_WORKSPACE_ID", "DEFAULT");
    assert_fails(
        &mut command,
        &[],
        "workspace",
        "workspace token, which takes none",
    );
    let one_time = issue(TokenKind::OneTime, &[Scope::MachinesRead]);
    let mut command = bench.command_as(&one_time);
    assert_warns(&mut command, &[], "credentials", "expires 30 seconds");
    assert!(bench.emulator.jobs().is_empty());
}

#[test]
fn clocks_that_differ() {
    let bench = Bench::start();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let now = SystemTime::now();
    let answer = |clock: SystemTime| {
        let date = httpdate::fmt_http_date(clock);
        let machines = Reply::new(200)
            .header("Date", date)
            .body(r#"[{"id":"t","name":"CNC","machines":[{"id":"m","name":"Mill"}]}]"#);
        bench.emulator.fail_next(Endpoint::Machines, 1, machines);
    };
    answer(now + minutes(30));
    assert_fails(&mut bench.command(), &[], "clock", "behind the server's");
    answer(now - minutes(30));
    assert_fails(&mut bench.command(), &[], "clock", "ahead of the server's");
    answer(now - Duration::from_secs(150));
    assert_warns(&mut bench.command(), &[], "clock", "ahead of the server's");
}

#[test]
fn proxies_that_do_not_lead_to_tulip() {
    let bench = Bench::start();
    let denied = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let port = |address: std::net::SocketAddr| format!("http://joe:p4ss@{address}");
    let args = &["--base-url", "https://tulip.example"];
    for (variable, value, check, says) in [
        (
            "HTTPS_PROXY",
            "socks5://127.0.0.1:1".to_owned(),
            "proxy",
            "only http and https",
        ),
        (
            "https_proxy",
            "\"http://proxy:1\"".to_owned(),
            "proxy",
            "https_proxy",
        ),
        ("HTTPS_PROXY", port(refusing()), "proxy", "from HTTPS_PROXY"),
        (
            "ALL_PROXY",
            port(servers::answering(denied)),
            "connection",
            "from ALL_PROXY",
        ),
    ] {
        assert_fails(bench.command().env(variable, value), args, check, says);
    }
    // The emulator also accepts proxied requests, so this proxy does lead to Tulip.
    let mut command = bench.command();
    let url = bench.emulator.base_url().to_string();
    let args = &[
        "--base-url",
        "http://tulip.example",
        "--allow-insecure-http",
    ];
    command.env("http_proxy", url);
    assert_warns(&mut command, args, "base_url", "sent in clear");
}
