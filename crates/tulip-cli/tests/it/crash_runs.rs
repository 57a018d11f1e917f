//! `kill -9` of a run over several machines, and a run that is paused while another takes it over:
//! repeating the command leads to the same state as an undisturbed run.
//!
//! Every test run includes a few of each. For many, in an optimised build:
//!
//! ```sh
//! TULIP_CRASH_KILLS=200 TULIP_CRASH_TWINS=20 \
//!     cargo test --release -p tulip-cli --test it crash_runs -- --nocapture
//! ```
#![cfg(unix)]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;
use tulip_core::MachineId;
use tulip_emulator::{Emulator, JobScript};

use crate::support::{Bench, Ran, files};

const MACHINES: usize = 6;

const EXPORT: [&str; 6] = ["export", "--all", "--to", "out", "--name", "{machine}.csv"];

struct Runs {
    bench: Bench,
    random: fastrand::Rng,
    /// How long an undisturbed run takes.
    usual: Duration,
    kills: u32,
    /// Starts that may or may not have reached Tulip.
    unknown: usize,
}

fn number(variable: &str, default: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    asked.map_or(default, |number| number.parse().expect("a number"))
}

#[expect(clippy::print_stdout, reason = "a run can be repeated by its seed")]
fn seed() -> u64 {
    let asked = std::env::var("TULIP_CRASH_SEED").ok();
    let seed = asked.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("TULIP_CRASH_SEED={seed}");
    seed
}

impl Runs {
    fn new() -> Self {
        let runs = Self {
            bench: Bench::of(Emulator::builder().machines(MACHINES).rows(20)),
            random: fastrand::Rng::with_seed(seed()),
            usual: Duration::ZERO,
            kills: 0,
            unknown: 0,
        };
        let began = Instant::now();
        let ran = runs.bench.run(&EXPORT);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        Self {
            usual: began.elapsed(),
            ..runs
        }
    }

    fn machines(&self) -> Vec<MachineId> {
        self.bench.emulator.machine_ids()
    }

    fn starts(&self) -> Vec<usize> {
        let requests = self.bench.emulator.requests();
        let machines = self.machines();
        machines
            .iter()
            .map(|machine| requests.starts(machine))
            .collect()
    }

    /// Gives the next night different archives, of several sizes. Some take longer.
    fn script(&mut self) {
        for machine in self.machines() {
            let script = JobScript::new()
                .rows(self.random.u64(100..20_000))
                .pending_polls(self.random.u32(0..2));
            self.bench.emulator.script_next_of(&machine, script);
        }
    }

    fn spawn(&self) -> Child {
        let credentials = self.bench.emulator.credentials();
        Command::new(assert_cmd::cargo::cargo_bin!("tulip"))
            .args(EXPORT)
            .env_clear()
            .current_dir(self.bench.folder.path())
            .env("TULIP_STATE", self.bench.state.path())
            .env("TULIP_BASE_URL", self.bench.emulator.base_url().to_string())
            .env("TULIP_API_KEY", credentials.key())
            .env("TULIP_API_SECRET", credentials.expose_secret())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Waits for some moment of the run, or for its end. Returns whether it is still alive.
    fn until_some_moment(&mut self, child: &mut Child) -> bool {
        let wait = self.usual.mul_f64(self.random.f64() * 1.1);
        let began = Instant::now();
        while began.elapsed() < wait {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(wait.min(Duration::from_millis(1)));
        }
        child.try_wait().unwrap().is_none()
    }

    /// Whether a process is writing to the state.
    fn is_locked(&self) -> bool {
        let database = self.bench.state.path().join("tulip.db");
        let database = rusqlite::Connection::open(database).unwrap();
        database.busy_timeout(Duration::ZERO).unwrap();
        database.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    }

    fn latest(&self) -> Value {
        let shown = self.bench.run(&["runs", "show", "last", "--json"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        shown.json().remove(0)
    }

    /// Runs the command until the run is whole, as a person would. Returns the machines whose start
    /// was unknown: they may have needed another.
    fn complete(&mut self, run: &str) -> BTreeSet<String> {
        let mut unknown = BTreeSet::new();
        if self.is_whole(run) {
            return unknown;
        }
        let latest = self.latest();
        // A run that has ended with unknown starts is not continued but retried.
        let has_ended = latest["run"] != *run && latest["status"] == "incomplete";
        let mut ran = (!has_ended).then(|| self.bench.run(&EXPORT));
        while ran.as_ref().is_none_or(|ran| ran.code != Some(0)) {
            let shown = self.latest();
            let exports = shown["exports"].as_array().unwrap().iter();
            let failed = exports.filter(|export| {
                !["stored", "unchanged"].contains(&export["outcome"].as_str().unwrap())
            });
            for export in failed {
                assert_eq!(export["outcome"], "start_unknown", "{export} {ran:?}");
                let machine = export["machine"].as_str().unwrap().to_owned();
                let discard = ["resume", "--discard", "--machine", &machine];
                assert_eq!(self.bench.run(&discard).code, Some(0));
                assert!(unknown.insert(machine), "unknown twice: {ran:?}");
            }
            ran = Some(self.retry());
        }
        self.unknown += unknown.len();
        unknown
    }

    fn retry(&self) -> Ran {
        let retry = [
            "export",
            "--to",
            "out",
            "--name",
            "{machine}.csv",
            "--retry-failed",
        ];
        self.bench.run(&retry)
    }

    fn is_whole(&self, run: &str) -> bool {
        let shown = self.latest();
        shown["run"] != *run && shown["status"] == "complete"
    }

    /// Every archive and receipt at the target.
    fn stored(&self) -> Vec<(String, Vec<u8>)> {
        let names = files(&self.bench.folder.path().join("out")).into_iter();
        let stored = names.filter(|name| !name.contains("/_runs/"));
        stored
            .map(|name| (name.clone(), std::fs::read(name).unwrap()))
            .collect()
    }

    /// Checks that everything is as after an undisturbed run.
    fn check(&self, before: &[usize], unknown: &BTreeSet<String>) {
        let shown = self.latest();
        assert_eq!(shown["status"], "complete", "{shown}");
        let exports = shown["exports"].as_array().unwrap();
        assert_eq!(exports.len(), MACHINES);
        let jobs = self.bench.emulator.jobs();
        let out = self.bench.folder.path().join("out");
        let read = |name: String| std::fs::read(out.join(name)).unwrap();
        for (nth, machine) in self.machines().iter().enumerate() {
            let started = self.starts()[nth] - before[nth];
            let most = 1 + usize::from(unknown.contains(machine.as_str()));
            assert!((1..=most).contains(&started), "{machine}: {started} starts");
            let receipt: Value =
                serde_json::from_slice(&read(format!("_{machine}.csv.receipt.json"))).unwrap();
            // After an unknown start there can be two new jobs, and either is right.
            let mut new = jobs
                .iter()
                .filter(|job| job.machine == *machine)
                .skip(before[nth]);
            let job = new.find(|job| receipt["job"] == job.id.as_str()).unwrap();
            let content = self.bench.emulator.content(&job.id).unwrap().to_bytes();
            assert!(read(format!("{machine}.csv")) == content, "{machine}");
            let export = exports
                .iter()
                .find(|export| export["machine"] == machine.as_str());
            let export = export.unwrap();
            assert_eq!(export["job"], job.id.as_str(), "{export}");
            assert_eq!(export["bytes"], content.len(), "{export}");
        }
        assert_eq!(self.bench.remembered(), Vec::<String>::new());
        let left = files(&out)
            .into_iter()
            .filter(|name| !name.contains("/_runs/"));
        assert_eq!(left.count(), 2 * MACHINES);
    }
}

fn signal(child: &Child, signal: Signal) {
    rustix::process::kill_process(Pid::from_child(child), signal).unwrap();
}

/// Pauses the process. Returns once all its threads have stopped, or it has ended.
fn pause(child: &Child) {
    signal(child, Signal::STOP);
    let change = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), change).unwrap();
}

#[test]
fn a_killed_run_is_continued_to_the_state_of_one_that_nobody_killed() {
    let mut runs = Runs::new();
    let (kills, mut trials) = (number("TULIP_CRASH_KILLS", 8), 0);
    while runs.kills < kills {
        runs.script();
        let before = runs.starts();
        let earlier = runs.latest()["run"].as_str().unwrap().to_owned();
        for _ in 0..runs.random.u32(1..=3) {
            let mut child = runs.spawn();
            runs.until_some_moment(&mut child);
            child.kill().unwrap();
            // It may have ended just before: one more run would be the next night's.
            let was_killed = child.wait().unwrap().code().is_none();
            runs.kills += u32::from(was_killed);
            if !was_killed || runs.is_whole(&earlier) {
                break;
            }
        }
        let unknown = runs.complete(&earlier);
        runs.check(&before, &unknown);
        trials += 1;
        assert!(trials < 20 * kills, "hardly any run lives long enough");
    }
    println!(
        "{} kills in {trials} runs of {MACHINES} machines: lost 0, started twice 0; start unknown {}",
        runs.kills, runs.unknown
    );
}

#[test]
fn a_run_that_is_paused_and_taken_over_does_no_harm_when_it_goes_on() {
    let mut runs = Runs::new();
    let (twins, mut fenced, mut paused) = (number("TULIP_CRASH_TWINS", 2), 0, 0);
    while paused < twins {
        runs.script();
        let before = runs.starts();
        let earlier = runs.latest()["run"].as_str().unwrap().to_owned();
        let mut child = runs.spawn();
        let mut lives = runs.until_some_moment(&mut child);
        if lives {
            pause(&child);
            // A run paused inside a transaction blocks all others until it continues.
            while runs.is_locked() {
                signal(&child, Signal::CONT);
                pause(&child);
            }
        }
        // A process that has not begun its run yet would begin another one when it continues.
        if lives && runs.latest()["run"] == *earlier {
            signal(&child, Signal::CONT);
            lives = false;
        }
        if lives {
            paused += 1;
            // As if its host had lost the lock: others believe that it is dead.
            for name in files(runs.bench.state.path()) {
                if name.ends_with(".lock") {
                    std::fs::remove_file(name).unwrap();
                }
            }
        }
        if !lives {
            child.wait().unwrap();
        }
        let unknown = runs.complete(&earlier);
        runs.check(&before, &unknown);
        if lives {
            let stored = runs.stored();
            signal(&child, Signal::CONT);
            fenced += u32::from(!child.wait().unwrap().success());
            runs.check(&before, &unknown);
            assert!(
                runs.stored() == stored,
                "it has replaced what the other has stored"
            );
        }
    }
    println!(
        "{paused} runs paused and taken over, {fenced} of them ended as fenced: started twice 0; \
         start unknown {}",
        runs.unknown
    );
}
