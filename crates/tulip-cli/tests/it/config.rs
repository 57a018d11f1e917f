//! The config file: where it is found, what overrides it, and that no untrusted one is used.

use assert_cmd::Command;

use crate::support::{Bench, Ran, run};

/// The bench's command, without the instance and credentials in its environment.
fn unset(bench: &Bench) -> Command {
    let mut command = bench.command();
    for name in ["TULIP_BASE_URL", "TULIP_API_KEY", "TULIP_API_SECRET"] {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", bench.path("config"));
    command.env("XDG_DATA_HOME", bench.path("data"));
    command
}

fn connection(bench: &Bench) -> String {
    let credentials = bench.emulator.credentials();
    std::fs::write(bench.path("secret"), credentials.expose_secret()).unwrap();
    format!(
        "base_url = \"{}\"\napi_key = \"{}\"\napi_secret_file = \"secret\"\n",
        bench.emulator.base_url(),
        credentials.key(),
    )
}

fn with_file(bench: &Bench, text: &str, args: &[&str]) -> Ran {
    std::fs::write(bench.path("mine.toml"), text).unwrap();
    let mut command = unset(bench);
    command.args(["--config", "mine.toml"]);
    run(&mut command, args)
}

#[test]
fn a_named_file_gives_instance_credentials_and_target() {
    let bench = Bench::start();
    let text = connection(&bench) + "to = \"out\"\nname = \"{machine}.csv\"\n";
    let ran = with_file(&bench, &text, &["export", "--all"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let archive = format!("out/{}.csv", bench.machine());
    assert!(std::path::Path::new(&bench.path(&archive)).is_file());
}

#[test]
fn a_file_of_the_working_directory_is_used_only_once_it_is_trusted() {
    let bench = Bench::start();
    std::fs::write(bench.path("tulip.toml"), connection(&bench)).unwrap();
    let refused = run(&mut unset(&bench), &["machines"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("is not trusted"), "{refused:?}");
    assert_eq!(run(&mut unset(&bench), &["config", "trust"]).code, Some(0));
    assert_eq!(run(&mut unset(&bench), &["machines"]).code, Some(0));
    // A change has to be trusted again.
    let changed = connection(&bench) + "concurrency = 2\n";
    std::fs::write(bench.path("tulip.toml"), changed).unwrap();
    assert_eq!(run(&mut unset(&bench), &["machines"]).code, Some(2));
    let ignored = run(&mut bench.command(), &["machines", "--no-config"]);
    assert_eq!(ignored.code, Some(0), "{ignored:?}");
}

#[test]
fn a_profile_of_another_instance_does_not_get_the_credentials_of_the_file() {
    let bench = Bench::start();
    // TEST-NET-1: if the key were used, the run would wait for a host that does not exist.
    let text = connection(&bench) + "[profiles.other]\nbase_url = \"https://192.0.2.1\"\n";
    let ran = with_file(&bench, &text, &["machines", "--profile", "other"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("no credentials"), "{ran:?}");
}

#[test]
fn a_profile_of_another_target_does_not_get_the_options_of_the_file() {
    let bench = Bench::start();
    let text = connection(&bench)
        + "to = \"s3://lake\"\n[sink_options]\nregion = \"eu-west-1\"\n\
           [profiles.disk]\nto = \"out\"\n";
    let args = ["export", "--all", "--profile", "disk"];
    let ran = with_file(&bench, &text, &args);
    // A folder takes no region.
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// `--to -` has no option `memory`, and an option that is given twice is an error.
#[test]
fn the_memory_of_the_file_is_for_its_own_target_and_gives_way_to_the_option() {
    let bench = Bench::start();
    let text = connection(&bench) + "to = \"out\"\nmemory = \"80MiB\"\n";
    let machine = bench.machine().to_string();
    let export = ["export", "--machine", &machine];
    for more in [
        &[][..],
        &["--sink-option", "memory=90MiB"],
        &["--memory", "90MiB"],
        &["--to", "-"],
    ] {
        let ran = with_file(&bench, &text, &[&export, more].concat());
        assert_eq!(ran.code, Some(0), "{more:?} {ran:?}");
    }
}

#[test]
fn variables_name_the_file_and_the_profile() {
    let bench = Bench::start();
    let text = connection(&bench) + "[profiles.night]\nto = \"night\"\nstart_rate = 0\n";
    std::fs::write(bench.path("mine.toml"), text).unwrap();
    let mut command = unset(&bench);
    command
        .env("TULIP_CONFIG", "mine.toml")
        .env("TULIP_PROFILE", "night");
    let ran = run(&mut command, &["export", "--all"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(std::path::Path::new(&bench.path("night")).is_dir());
}

#[cfg(unix)]
#[test]
fn a_secret_in_a_file_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::start();
    let credentials = bench.emulator.credentials();
    let text = format!(
        "base_url = \"{}\"\napi_key = \"{}\"\napi_secret = \"{}\"\n",
        bench.emulator.base_url(),
        credentials.key(),
        credentials.expose_secret(),
    );
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        let path = bench.path("mine.toml");
        std::fs::write(&path, &text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = unset(&bench);
        command.args(["--config", "mine.toml"]);
        let ran = run(&mut command, &["machines"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.contains("chmod 600"), warned, "{ran:?}");
        assert!(!ran.stderr.contains(credentials.expose_secret()), "{ran:?}");
    }
}

#[test]
fn mistakes_name_file_line_and_what_was_meant_and_quote_no_value() {
    let bench = Bench::start();
    for (text, says) in [
        (
            "\nbas_url = 1\n",
            "mine.toml:2: unknown setting \"bas_url\"; did you mean \"base_url\"?",
        ),
        (
            "[profile.night]\n",
            "mine.toml:1: unknown setting \"profile\"; did you mean \"profiles\"?",
        ),
        (
            "api_secret = 73577\n",
            "mine.toml:1: api_secret: it takes a string, not a number",
        ),
        ("timeout = \"90\"\n", "mine.toml:1: timeout: it has no unit"),
        (
            "concurrency = \"s3cret\"\n",
            "it takes a number, not a string",
        ),
        ("api_secret = s3cret\n", "mine.toml:1: "),
    ] {
        let ran = with_file(&bench, text, &["machines"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("s3cret") && !ran.stderr.contains("73577"),
            "{ran:?}"
        );
    }
    let ran = with_file(
        &bench,
        "[profiles.night]\n",
        &["machines", "--profile", "nigt"],
    );
    assert!(ran.stderr.contains("did you mean \"night\"?"), "{ran:?}");
}

#[test]
fn show_tells_where_values_come_from_and_masks_secrets() {
    let bench = Bench::start();
    let text = "api_secret = \"s3cret\"\ntimeout = \"2h\"\nmemory = \"80MiB\"\n\
                [profiles.night]\ntimeout = \"3h\"\n";
    std::fs::write(bench.path("mine.toml"), text).unwrap();
    let mut command = unset(&bench);
    command.env("TULIP_BASE_URL", "https://acme.tulip.co");
    let args = [
        "config",
        "show",
        "--config",
        "mine.toml",
        "--profile",
        "night",
        "--json",
    ];
    let ran = run(command.args(args), &["--memory", "90MiB"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"));
    let of = |name: &str| {
        ran.json()
            .into_iter()
            .find(|line| line["setting"] == name)
            .unwrap()
    };
    assert_eq!(of("base_url")["variable"], "TULIP_BASE_URL");
    assert_eq!(of("api_secret")["value"], "[redacted]");
    assert_eq!(
        (&of("timeout")["value"], &of("timeout")["line"]),
        (&"3h".into(), &5.into())
    );
    assert_eq!(of("timeout")["profile"], "night");
    assert_eq!(of("memory")["option"], "--memory");
    assert_eq!(of("digest")["source"], "default");
}

#[test]
fn show_masks_only_those_options_of_a_target_that_can_be_secrets() {
    let bench = Bench::start();
    let to = "s3://lake/x?endpoint=https://minio.example&secret_access_key=s3cret";
    let ran = run(&mut unset(&bench), &["config", "show", "--to", to]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = "s3://lake/x?endpoint=https://minio.example&secret_access_key=[redacted]";
    assert!(ran.stdout.contains(shown), "{}", ran.stdout);
}
