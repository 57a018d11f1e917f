//! An emulator with machines, a folder, and an exporter from one to the other.

use std::time::Duration;

use tempfile::TempDir;
use tulip_emulator::{Emulator, EmulatorBuilder};
use tulip_fleet::archive::http::NeverRetry;
use tulip_fleet::archive::poll::PollPolicy;
use tulip_fleet::archive::{Client, Exporter, ExporterBuilder, Settings, Source};
use tulip_fleet::{ItemOutcome, ItemReport, Run, sources_of};

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) async fn of(machines: usize) -> Self {
        Self::with(Emulator::builder().machines(machines).rows(20)).await
    }

    pub(crate) async fn with(emulator: EmulatorBuilder) -> Self {
        Self {
            emulator: emulator.start().await.unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// A client that never retries.
    pub(crate) fn client(&self) -> Client {
        let settings = Settings::new(self.emulator.base_url(), self.emulator.credentials());
        Client::builder(settings).retry(NeverRetry).build().unwrap()
    }

    pub(crate) fn exporter(&self) -> ExporterBuilder {
        let pace = Duration::from_millis(1);
        Exporter::builder(self.client())
            .to(self.folder.path().to_str().unwrap())
            .poll(PollPolicy::default().intervals(pace, pace))
    }

    pub(crate) async fn sources(&self) -> Vec<Source> {
        sources_of(&self.client().machines().await.unwrap())
    }

    /// The number of archives in the folder.
    pub(crate) fn archives(&self) -> usize {
        let files = walk(self.folder.path());
        files.iter().filter(|name| name.ends_with(".csv")).count()
    }
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found
}

/// All reports of a run, in the order in which they came.
pub(crate) async fn all(mut run: Run) -> Vec<ItemReport> {
    let mut reports = Vec::new();
    while let Some(report) = run.next().await {
        reports.push(report);
    }
    assert_eq!(run.remaining(), 0);
    reports
}

pub(crate) fn count(reports: &[ItemReport], outcome: ItemOutcome) -> usize {
    let same = |report: &&ItemReport| report.outcome() == outcome;
    reports.iter().filter(same).count()
}
