//! A run in its own process, so that its memory is measured without the emulator's.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tulip_core::Credentials;
use tulip_fleet::archive::core::InstanceUrl;
use tulip_fleet::archive::{Client, Event, Exporter, Settings, Source};
use tulip_fleet::{Phase, Plan, RetryByOutcome, Run, sources_of};

use crate::discard::Discard;
use crate::plant::{ATTEMPTS, Plant, refused};

const VARIABLE: &str = "TULIP_SCALE_RUN";
const MARK: &str = "measured ";

/// The settings of a run.
#[derive(Debug, Clone)]
pub(crate) struct RunOf {
    url: String,
    key: String,
    secret: String,
    max_pending: usize,
    start_rate: usize,
    refused: usize,
}

/// The measurements of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) peak_mib: f64,
    pub(crate) stored: usize,
    /// Attempts after the first, and starts that were refused with 429 and sent again.
    pub(crate) retries: usize,
    /// From complete to stored, for archives of less than 16 MiB.
    pub(crate) p50_ms: u64,
    pub(crate) p99_ms: u64,
    pub(crate) failed: BTreeMap<String, String>,
}

impl RunOf {
    pub(crate) fn of(plant: &Plant, max_pending: usize, start_rate: usize) -> Self {
        let credentials = plant.emulator.credentials();
        Self {
            url: plant.emulator.base_url().to_string(),
            key: credentials.key().to_owned(),
            secret: credentials.expose_secret().to_owned(),
            max_pending,
            start_rate,
            refused: plant.refused(),
        }
    }

    pub(crate) fn from_env() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let parts: Vec<_> = text.split(' ').collect();
        let [url, key, secret, max_pending, start_rate, refused] = parts[..] else {
            return None;
        };
        Some(Self {
            url: url.to_owned(),
            key: key.to_owned(),
            secret: secret.to_owned(),
            max_pending: max_pending.parse().unwrap(),
            start_rate: start_rate.parse().unwrap(),
            refused: refused.parse().unwrap(),
        })
    }

    /// Runs it in another process of this test binary.
    pub(crate) fn spawn(&self) -> Measured {
        let Self {
            url,
            key,
            secret,
            max_pending,
            start_rate,
            refused,
        } = self;
        let run = format!("{url} {key} {secret} {max_pending} {start_rate} {refused}");
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "run"])
            .env(VARIABLE, run)
            // Like the command, so that freed memory is reused.
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(MARK));
        let errors = String::from_utf8_lossy(&output.stderr);
        Measured::from_line(line.unwrap_or_else(|| panic!("{text}{errors}")))
    }

    pub(crate) async fn measure(self) -> Measured {
        let credentials = Credentials::new(&self.key, &self.secret).unwrap();
        let url = InstanceUrl::parse(&self.url).unwrap();
        let client = Client::builder(Settings::new(url, credentials))
            .build()
            .unwrap();
        let mut sources = sources_of(&client.machines().await.unwrap());
        for nth in 0..self.refused {
            // Spread among the others, as in a listing that is a minute old.
            let at = sources.len() * nth / self.refused;
            sources.insert(at, Source::machine(refused(nth).parse().unwrap()));
        }
        let exporter = Exporter::builder(client).to_sink(Arc::new(Discard));
        let exporter = exporter.build().await.unwrap();
        let plan = Plan::new(&exporter, sources).await.unwrap();
        let retries = Arc::new(AtomicUsize::new(0));
        let (count, refusals) = (retries.clone(), retries.clone());
        let policy = RetryByOutcome::default()
            .attempts(ATTEMPTS as u32)
            .cooldown(Duration::from_secs(1));
        let mut run = Run::new(plan)
            .concurrency(4)
            .max_pending(self.max_pending)
            .start_rate(NonZeroUsize::new(self.start_rate))
            .retry_policy(policy)
            .on_retry(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .on_event(move |_| {
                let refusals = refusals.clone();
                move |event| {
                    if matches!(event, Event::StartRefused) {
                        refusals.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        let began = Instant::now();
        let mut measured = Measured::default();
        let mut waits = Vec::new();
        while let Some(report) = run.next().await {
            if report.result.is_err() {
                let machine = report.source.known_machine().unwrap().to_string();
                measured
                    .failed
                    .insert(machine, report.outcome().to_string());
                continue;
            }
            measured.stored += 1;
            if report.measured.bytes < 16 * 1024 * 1024 {
                let phases = [Phase::WaitingToDownload, Phase::Downloading, Phase::Storing];
                let wait: Duration = phases
                    .map(|phase| report.measured.time_in(phase))
                    .iter()
                    .sum();
                waits.push(wait.as_millis() as u64);
            }
        }
        waits.sort_unstable();
        let at = |share: usize| {
            waits
                .get(waits.len() * share / 100)
                .copied()
                .unwrap_or_default()
        };
        measured.seconds = began.elapsed().as_secs_f64();
        (measured.p50_ms, measured.p99_ms) = (at(50), at(99));
        measured.retries = retries.load(Ordering::Relaxed);
        measured.peak_mib = peak_mib();
        measured
    }
}

impl Measured {
    pub(crate) fn to_line(&self) -> String {
        let failed = self.failed.iter();
        let failed: Vec<_> = failed
            .map(|(id, outcome)| format!("{id}={outcome}"))
            .collect();
        format!(
            "\n{MARK}{} {} {} {} {} {} {}",
            self.seconds,
            self.peak_mib,
            self.stored,
            self.retries,
            self.p50_ms,
            self.p99_ms,
            failed.join(",")
        )
    }

    fn from_line(line: &str) -> Self {
        let parts: Vec<_> = line.split(' ').collect();
        let [seconds, peak, stored, retries, p50, p99, failed] = parts[..] else {
            panic!("{line}");
        };
        let failed = failed.split(',').filter_map(|pair| pair.split_once('='));
        Self {
            seconds: seconds.parse().unwrap(),
            peak_mib: peak.parse().unwrap(),
            stored: stored.parse().unwrap(),
            retries: retries.parse().unwrap(),
            p50_ms: p50.parse().unwrap(),
            p99_ms: p99.parse().unwrap(),
            failed: failed
                .map(|(id, outcome)| (id.to_owned(), outcome.to_owned()))
                .collect(),
        }
    }
}

/// The peak memory of this process, from `/proc`.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<f64>().unwrap() / 1024.0
}
