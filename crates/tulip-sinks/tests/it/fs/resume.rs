//! Resuming staged files, which must be unchanged.

use std::path::PathBuf;

use tempfile::TempDir;
use tulip_core::Timestamp;
use tulip_core::sink::{OpenOptions, Resumed, Sink, StaleUpload, WriteMode};

use super::{LARGE, files, sink};
use crate::support::{bytes, key, put};

/// Writes [`LARGE`] bytes to `name`, and drops the writer after a checkpoint.
async fn leave(sink: &dyn Sink, name: &str) -> StaleUpload {
    let opened = Timestamp::now();
    let options = OpenOptions::default();
    let mut writer = sink.open(&key(name), &options).await.unwrap();
    writer.write(bytes(LARGE, 1)).await.unwrap();
    assert_eq!(writer.checkpoint().await.unwrap(), Some(LARGE as u64));
    StaleUpload::new(opened).with_resume_token(writer.resume_token())
}

fn staged(folder: &TempDir, left: &StaleUpload) -> PathBuf {
    folder.path().join(left.resume_token.as_deref().unwrap())
}

async fn resume(sink: &dyn Sink, left: &StaleUpload, length: usize) -> Option<Resumed> {
    let (key, options) = (key("a.csv"), OpenOptions::default());
    let resumed = sink.resume(&key, &options, left, length as u64);
    resumed.await.unwrap()
}

/// If a file system has no rename that refuses to replace a file, a process that is killed between
/// link and unlink leaves the file under both names.
#[cfg(unix)]
#[tokio::test]
async fn a_staged_file_that_is_visible_already_is_not_resumed() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let options = OpenOptions::default();
    let left = leave(&*sink, "a.csv").await;
    let staged = folder.path().join(left.resume_token.as_deref().unwrap());
    std::fs::hard_link(&staged, folder.path().join("a.csv")).unwrap();
    let resumed = sink.resume(&key("a.csv"), &options, &left, 5).await;
    assert!(resumed.unwrap().is_none());
    sink.discard(&key("a.csv"), &left).await.unwrap();
    let there = std::fs::read(folder.path().join("a.csv")).unwrap();
    assert!(there == bytes(LARGE, 1));
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_resume_token_from_outside_leads_nowhere() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    let sink = sink(&root).await;
    put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    let outside = folder.path().join(".x.00000000.partial");
    std::fs::write(&outside, "mine").unwrap();
    for trace in [
        "a.csv",
        ".other.csv.00000000.partial",
        "../.x.00000000.partial",
        "",
        "/.x.00000000.partial",
    ] {
        let left = StaleUpload::new(Timestamp::now()).with_resume_token(Some(trace.to_owned()));
        sink.discard(&key("a.csv"), &left).await.unwrap();
        let (key, options) = (key("a.csv"), OpenOptions::default());
        let resumed = sink.resume(&key, &options, &left, 1).await;
        assert!(resumed.unwrap().is_none(), "{trace}");
    }
    assert!(outside.exists() && root.join("a.csv").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_place_of_a_staged_file_is_not_followed() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    let sink = sink(&root).await;
    let left = leave(&*sink, "a.csv").await;
    let staged = root.join(left.resume_token.as_deref().unwrap());
    let outside = folder.path().join("outside");
    std::fs::rename(&staged, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &staged).unwrap();
    assert!(resume(&*sink, &left, 5).await.is_none());
    // Not even if it is dangling, so that nothing could be harmed.
    std::fs::remove_file(&outside).unwrap();
    assert!(resume(&*sink, &left, 0).await.is_none());
    assert!(!outside.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_staged_file_of_another_user_is_not_resumed() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let left = leave(&*sink, "a.csv").await;
    let staged = staged(&folder, &left);
    if std::fs::metadata(&staged).unwrap().uid() != 0 {
        // Only root can give a file away.
        return;
    }
    chown(&staged, Some(65_534), None).unwrap();
    assert!(resume(&*sink, &left, 5).await.is_none());
    assert_eq!(std::fs::metadata(&staged).unwrap().len(), LARGE as u64);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_not_resumed() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let left = leave(&*sink, "a.csv").await;
    let staged = staged(&folder, &left);
    std::fs::remove_file(&staged).unwrap();
    std::fs::create_dir(&staged).unwrap();
    assert!(resume(&*sink, &left, 0).await.is_none());
}

#[tokio::test]
async fn nothing_is_cut_off_before_the_first_write() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let left = leave(&*sink, "a.csv").await;
    let length = || std::fs::metadata(staged(&folder, &left)).unwrap().len();
    // The caller finds other bytes than it expects, and drops the writer.
    drop(resume(&*sink, &left, 5).await.unwrap());
    assert_eq!(length(), LARGE as u64);
    let mut resumed = resume(&*sink, &left, 5).await.unwrap();
    resumed.writer.write(bytes(3, 2)).await.unwrap();
    assert_eq!(resumed.writer.checkpoint().await.unwrap(), Some(8));
    assert_eq!(length(), 8);
    resumed.writer.close().await.unwrap();
    let expected = [&bytes(LARGE, 1)[..5], &bytes(3, 2)].concat();
    assert_eq!(
        std::fs::read(folder.path().join("a.csv")).unwrap(),
        expected
    );
}

#[tokio::test]
async fn a_file_that_is_closed_without_a_write_has_what_was_resumed() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for length in [0, 5, LARGE] {
        let left = leave(&*sink, "a.csv").await;
        let resumed = resume(&*sink, &left, length).await.unwrap();
        let stored = resumed.writer.close().await.unwrap();
        assert_eq!(stored.bytes, length as u64);
        let there = std::fs::read(folder.path().join("a.csv")).unwrap();
        assert!(there == bytes(LARGE, 1)[..length]);
    }
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_staged_file_that_was_swapped_is_neither_read_nor_committed() {
    use tulip_core::sink::SinkReader;
    async fn all(mut reader: Box<dyn SinkReader>) -> Vec<u8> {
        let mut found = Vec::new();
        while let Some(chunk) = reader.next().await.unwrap() {
            found.extend_from_slice(&chunk);
        }
        found
    }
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let left = leave(&*sink, "a.csv").await;
    let mut resumed = resume(&*sink, &left, LARGE).await.unwrap();
    let theirs = folder.path().join("theirs");
    std::fs::write(&theirs, bytes(LARGE + 3, 9)).unwrap();
    std::fs::rename(&theirs, staged(&folder, &left)).unwrap();
    assert!(all(resumed.kept).await == bytes(LARGE, 1));
    resumed.writer.write(bytes(3, 2)).await.unwrap();
    let error = resumed.writer.close().await.unwrap_err();
    assert!(error.to_string().contains("by another process"), "{error}");
    assert!(!folder.path().join("a.csv").exists());
}

#[tokio::test]
async fn a_file_of_another_target_is_neither_resumed_nor_discarded() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let left = leave(&*sink, "b.csv").await;
    assert!(resume(&*sink, &left, 5).await.is_none());
    sink.discard(&key("a.csv"), &left).await.unwrap();
    assert!(staged(&folder, &left).exists());
}
