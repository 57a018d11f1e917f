//! The places where archives are stored, and their contents.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tulip_core::NetworkOptions;
use tulip_core::sink::{Sink, SinkRegistry, SinkUrl};
use tulip_test_s3::{KEY_ID, S3Server, SECRET};

use crate::column::Place;
use crate::plan::Rule;

/// A cell's own folder or bucket.
pub(crate) enum Storage {
    Folder(TempDir),
    Bucket(S3Server),
}

impl Storage {
    pub(crate) async fn start(place: Place) -> Self {
        match place {
            Place::Fs => Self::Folder(TempDir::new().unwrap()),
            Place::S3 => Self::Bucket(S3Server::start().await),
        }
    }

    /// The sink of this place, with the smallest possible parts.
    pub(crate) async fn sink(&self) -> Arc<dyn Sink> {
        let url = match self {
            Self::Folder(folder) => SinkUrl::from_path(folder.path()).unwrap(),
            Self::Bucket(server) => "s3://lake"
                .parse::<SinkUrl>()
                .unwrap()
                .with_option("endpoint", &server.endpoint)
                .with_option("access_key_id", KEY_ID)
                .with_option("secret_access_key", SECRET)
                .with_option("part_size", "5MiB"),
        };
        let registry = SinkRegistry::linked().unwrap();
        let connected = registry.connect(&url, &NetworkOptions::default()).await;
        connected.unwrap()
    }

    /// Makes a bucket's server answer by `rule`, and counts how often the rule has applied.
    pub(crate) fn refuse(&self, mut rule: Rule) -> Arc<AtomicUsize> {
        let held = Arc::new(AtomicUsize::new(0));
        if let Self::Bucket(server) = self {
            let held = held.clone();
            server.refuse(move |seen| {
                let refusal = rule(seen)?;
                held.fetch_add(1, Ordering::Relaxed);
                Some(refusal)
            });
        }
        held
    }

    pub(crate) fn read(&self, key: &str) -> Vec<u8> {
        match self {
            Self::Folder(folder) => std::fs::read(folder.path().join(key)).unwrap_or_default(),
            Self::Bucket(server) => server.object(key).unwrap_or_default(),
        }
    }

    /// The keys of all objects, including staged files.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::Folder(folder) => files(folder.path()),
            Self::Bucket(server) => server.keys(),
        }
    }

    /// The unfinished uploads.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        match self {
            Self::Folder(_) => Vec::new(),
            Self::Bucket(server) => server.open_uploads(),
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut found: Vec<_> = below(folder)
        .iter()
        .map(|file| file.strip_prefix(folder).unwrap().display().to_string())
        .collect();
    found.sort();
    found
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.push(path),
        }
    }
    found
}
