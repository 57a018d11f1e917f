//! The examples, run as a reader would run them.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::PathBuf;
use std::process::Command;

use tulip_emulator::{Emulator, JobScript};

/// Cargo builds a package's examples with its tests, into the folder beside the tests' own.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built: PathBuf = test.parent().unwrap().parent().unwrap().join("examples");
    Command::new(built.join(name))
}

#[test]
fn the_custom_sink_registers_itself_and_gets_every_archive() {
    let output = example("custom_sink").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Three machines, each with an archive and its receipt.
    assert_eq!(
        text.lines().filter(|line| line.contains(".csv: ")).count(),
        3,
        "{text}"
    );
    assert_eq!(
        text.lines()
            .filter(|line| line.contains(".receipt.json: "))
            .count(),
        3,
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_linked_sink_pipes_every_archive_to_a_program() {
    let mut pipe = example("pipe_to_program");
    let output = pipe.args(["/bin/sh", "-c", "cat"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches(".csv in /bin/sh").count(), 3, "{text}");
    // What the program prints goes to stderr.
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("\"checksum\"").count(), 3, "{text}");
}

#[tokio::test]
async fn the_embedded_export_stores_an_archive() {
    let emulator = Emulator::start().await.unwrap();
    let job = emulator.add_job(JobScript::new()).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let credentials = emulator.credentials();
    let mut command = example("embed");
    command
        .arg(job.as_str())
        .arg(folder.path())
        .env_clear()
        .env("TULIP_BASE_URL", emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(folder.path().join(format!("{job}.csv")).is_file());
}

#[test]
fn embedding_takes_at_most_ten_lines() {
    let source = include_str!("../embed.rs");
    let (_, body) = source.split_once("async fn main").unwrap();
    let lines = body.lines().skip(1).take_while(|line| *line != "}");
    assert!(lines.count() <= 10);
}
