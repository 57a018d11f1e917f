//! Guards the speed of local files by counting write system calls. Runs in its own process, because
//! the system counts per process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use bytes::{Bytes, BytesMut};
use tulip_core::NetworkOptions;
use tulip_core::sink::{OpenOptions, SinkRegistry, SinkUrl};
use tulip_sinks as _;

const MIB: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// A block like those of a download: it starts at the beginning of a page.
fn block() -> Bytes {
    let memory = BytesMut::zeroed(MIB + PAGE).freeze();
    let start = memory.as_ptr().align_offset(PAGE);
    memory.slice(start..start + MIB)
}

/// The write calls of this process so far: to files, and to wake other threads.
fn writes() -> usize {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap();
    let count = counts.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_file_takes_few_writes() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = SinkUrl::from_path(folder.path()).unwrap();
    let registry = SinkRegistry::linked().unwrap();
    let sink = registry.connect(&url, &NetworkOptions::default()).await;
    let options = OpenOptions::default();
    let key = "a.csv".parse().unwrap();
    let mut writer = sink.unwrap().open(&key, &options).await.unwrap();
    let (blocks, before) = (64, writes());
    for _ in 0..blocks {
        writer.write(block()).await.unwrap();
    }
    writer.close().await.unwrap();
    let wrote = writes() - before;
    // For every two blocks, one write to the file and at most three that wake a thread; and a few
    // others.
    assert!((blocks / 2..=2 * blocks + 16).contains(&wrote), "{wrote}");
    let stored = std::fs::metadata(folder.path().join("a.csv")).unwrap();
    assert_eq!(stored.len(), (blocks * MIB) as u64);
}
