//! An emulator, a client and a folder, with helpers for tests.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{Client, Exporter, ExporterBuilder, JobId, Outcome, Receipt, Settings};
use tulip_emulator::{Emulator, JobScript};
use tulip_http::{ExponentialBackoff, NeverRetry};

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) folder: TempDir,
}

/// Polls almost without waiting.
pub(crate) fn fast() -> PollPolicy {
    let pace = Duration::from_millis(1);
    PollPolicy::default().intervals(pace, pace)
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self {
            emulator: Emulator::start().await.unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(self.emulator.base_url(), self.emulator.credentials())
    }

    pub(crate) fn client(&self) -> Client {
        let retry = ExponentialBackoff::default().delays(Duration::ZERO, Duration::ZERO);
        Client::builder(self.settings())
            .retry(retry)
            .build()
            .unwrap()
    }

    /// A client that never retries.
    pub(crate) fn without_retries(&self) -> Client {
        Client::builder(self.settings())
            .retry(NeverRetry)
            .build()
            .unwrap()
    }

    /// A client that also gives up on a silent server, after a time for which a busy machine can be
    /// silent too: only for tests in which a stall ends the export.
    pub(crate) fn with_short_read_timeout(&self) -> Client {
        let builder = Client::builder(self.settings()).retry(NeverRetry);
        builder
            .read_timeout(Duration::from_secs(1))
            .build()
            .unwrap()
    }

    pub(crate) fn exporter(&self) -> ExporterBuilder {
        Exporter::builder(self.client())
            .to(self.folder.path().to_str().unwrap())
            .poll(fast())
    }

    pub(crate) fn job(&self, script: JobScript) -> JobId {
        self.emulator.add_job(script).unwrap()
    }

    pub(crate) fn content(&self, job: &JobId) -> Vec<u8> {
        self.emulator.content(job).unwrap().to_bytes().to_vec()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    /// The paths of all files in the folder, including hidden ones, relative to it.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(self.folder.path(), self.folder.path(), &mut found);
        found.sort();
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(root, &path, found),
            false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
        }
    }
}

pub(crate) fn receipt(outcome: &Outcome) -> &Receipt {
    outcome.receipt().expect("the archive was exported")
}
