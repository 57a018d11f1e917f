//! What guards the speed of local files: how often the system is asked to write. In a process of
//! its own, since it is the process whose calls the system counts.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use bytes::{Bytes, BytesMut};
use tulip_core::NetworkOptions;
use tulip_core::sink::{OpenOptions, SinkRegistry, SinkUrl};
use tulip_sinks as _;

const MIB: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// A block as a download brings it: with as its first byte one at the beginning of a page.
fn block() -> Bytes {
    let memory = BytesMut::zeroed(MIB + PAGE).freeze();
    let start = memory.as_ptr().align_offset(PAGE);
    memory.slice(start..start + MIB)
}

/// Calls of this process that write: to files, and to wake another thread.
fn writes() -> usize {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap();
    let count = counts.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_file_takes_one_write_for_each_block() {
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
    // One to the file for every two blocks, and three at most that wake a thread; and a few around
    // them.
    assert!((blocks / 2..=2 * blocks + 16).contains(&wrote), "{wrote}");
    let stored = std::fs::metadata(folder.path().join("a.csv")).unwrap();
    assert_eq!(stored.len(), (blocks * MIB) as u64);
}
