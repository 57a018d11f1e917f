//! An emulator on its own runtime, and the command.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tulip_archive::StateStore as _;
use tulip_core::{Credentials, JobId, MachineId};
use tulip_emulator::{Emulator, EmulatorBuilder, JobScript};
use tulip_fleet::RunEnd;
use tulip_fleet::ledger::Ledger;

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) folder: TempDir,
    pub(crate) state: TempDir,
    // Dropped last: the emulator runs on it.
    runtime: Runtime,
}

/// The exit code and the output of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The JSON objects on stdout, one per line.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The command in a clean environment, without the variables of this machine.
pub(crate) fn bare() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("tulip");
    command.env_clear();
    // Leave nothing in the home folder of whoever runs the tests.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    // Do not read the config file there either.
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Resets signals to their defaults in the command. One that its parent ignores, as a shell does
/// for background jobs, would stay ignored.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "a signal's disposition is set between fork and exec"
)]
pub(crate) fn with_default_signals(
    command: &mut std::process::Command,
) -> &mut std::process::Command {
    use std::os::unix::process::CommandExt as _;
    let restore = || {
        for signal in [libc::SIGINT, libc::SIGHUP] {
            // SAFETY: no memory is touched, and signal(2) may be called after a fork.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: `restore` allocates nothing and takes no lock.
    unsafe { command.pre_exec(restore) }
}

pub(crate) fn run(command: &mut Command, args: &[&str]) -> Ran {
    command.args(args).output().unwrap().into()
}

impl Bench {
    pub(crate) fn start() -> Self {
        Self::of(Emulator::builder())
    }

    pub(crate) fn of(emulator: EmulatorBuilder) -> Self {
        let runtime = Runtime::new().unwrap();
        let emulator = runtime.block_on(emulator.start()).unwrap();
        Self {
            emulator,
            folder: TempDir::new().unwrap(),
            state: TempDir::new().unwrap(),
            runtime,
        }
    }

    pub(crate) fn command_as(&self, credentials: &Credentials) -> Command {
        let mut command = bare();
        command
            .current_dir(self.folder.path())
            .env("TULIP_STATE", self.state.path())
            .env("TULIP_BASE_URL", self.emulator.base_url().to_string())
            .env("TULIP_API_KEY", credentials.key())
            .env("TULIP_API_SECRET", credentials.expose_secret());
        command
    }

    pub(crate) fn command(&self) -> Command {
        self.command_as(&self.emulator.credentials())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(), args)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn job(&self, script: JobScript) -> JobId {
        self.emulator.add_job(script).unwrap()
    }

    pub(crate) fn machine(&self) -> MachineId {
        self.emulator.machine_ids()[0].clone()
    }

    /// The records of incomplete exports that runs have left.
    pub(crate) fn remembered(&self) -> Vec<String> {
        let ledger = tulip_ledger::SqliteLedger::open(self.state.path()).unwrap();
        let records = self.block_on(ledger.list()).unwrap();
        records.into_iter().map(|stored| stored.record).collect()
    }

    /// Whether there is an open run, which the same command would continue.
    pub(crate) fn has_open_run(&self) -> bool {
        let ledger = tulip_ledger::SqliteLedger::open(self.state.path()).unwrap();
        let runs = self.block_on(Ledger::runs(&ledger)).unwrap();
        runs.iter().any(|overview| overview.run.end == RunEnd::Open)
    }

    pub(crate) fn path(&self, below: &str) -> String {
        self.folder.path().join(below).display().to_string()
    }
}

/// Every file below `folder`, hidden ones too.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}

/// A reply of the asset host that ends a download at once: a redirect to no host.
pub(crate) fn elsewhere() -> tulip_emulator::Reply {
    tulip_emulator::Reply::redirect(302, "file:///elsewhere")
}

/// Spawns the command as a process that a test can send signals to.
#[cfg(unix)]
pub(crate) fn spawn(bench: &Bench, args: &[&str]) -> std::process::Child {
    let credentials = bench.emulator.credentials();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tulip"));
    with_default_signals(&mut command)
        .args(args)
        .env_clear()
        .current_dir(bench.folder.path())
        .env("TULIP_STATE", bench.state.path())
        .env("TULIP_BASE_URL", bench.emulator.base_url().to_string())
        .env("TULIP_API_KEY", credentials.key())
        .env("TULIP_API_SECRET", credentials.expose_secret())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
}

/// A local address that refuses connections as long as the tests run. Its port is bound, so that
/// no other process gets it, but not listening.
pub(crate) fn refusing() -> std::net::SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}
