//! A ledger in its own folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tulip_archive::StateStore as _;
use tulip_archive::state::{Claim, ClaimOutcome};
use tulip_ledger::SqliteLedger;

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("tulip.db")
    }

    pub(crate) fn open(&self) -> SqliteLedger {
        SqliteLedger::open(self.path()).unwrap()
    }

    /// The names of the files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The files that processes have locked.
    pub(crate) fn locks(&self) -> Vec<String> {
        let files = self.files().into_iter();
        files.filter(|name| name.ends_with(".lock")).collect()
    }
}

pub(crate) fn id(number: u64) -> String {
    format!("{number:032x}")
}

pub(crate) async fn create(ledger: &SqliteLedger, number: u64, record: &str) -> Claim {
    match ledger.claim(&id(number), Some(record.to_owned())).await {
        Ok(ClaimOutcome::Created(claim)) => claim,
        other => panic!("{other:?}"),
    }
}

/// All records and whether they are claimed, sorted by id.
pub(crate) async fn records(ledger: &SqliteLedger) -> Vec<(String, String, bool)> {
    let records = ledger.list().await.unwrap().into_iter();
    let mut records: Vec<_> = records
        .map(|stored| (stored.id, stored.record, stored.is_claimed))
        .collect();
    records.sort();
    records
}
