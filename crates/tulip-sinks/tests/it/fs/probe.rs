//! Faults that a probe finds before anything is downloaded.

use std::path::Path;

use tempfile::TempDir;
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkErrorKind, SinkRegistry, SinkUrl, WriteMode};

use super::{files, sink};

#[tokio::test]
async fn probing_creates_the_folder_and_leaves_it_empty() {
    let folder = TempDir::new().unwrap();
    let deep = folder.path().join("a/b");
    sink(&deep).await.probe(WriteMode::Overwrite).await.unwrap();
    assert!(deep.is_dir());
    assert_eq!(files(&deep), Vec::<String>::new());
}

#[tokio::test]
async fn targets_that_cannot_be_folders_are_refused_by_the_probe() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = sink(&file)
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(
        error.to_string().contains("is a file, not a folder"),
        "{error}"
    );
    let error = sink(&file.join("below"))
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("cannot create the folder"),
        "{error}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_nobody_may_write_is_refused_by_the_probe() {
    // Not even root may create files there.
    let error = sink(Path::new("/proc/self"))
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot write into the folder /proc/self"),
        "{error}"
    );
}

#[tokio::test]
async fn options_that_the_sink_does_not_have_are_refused() {
    let url: SinkUrl = "file:///data?fsync=no".parse().unwrap();
    let error = SinkRegistry::linked()
        .unwrap()
        .connect(&url, &NetworkOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(
        error.to_string().contains(r#"no option "fsync""#),
        "{error}"
    );
}

#[tokio::test]
async fn a_probe_removes_what_a_killed_one_has_left() {
    let folder = TempDir::new().unwrap();
    let left = folder.path().join(".tulip-probe.00000000.partial");
    std::fs::write(&left, "probe").unwrap();
    // Files of a probe that is still running, and of someone else.
    let others = [".tulip-probe.00000001.partial", "tulip-probe"];
    let [alive, _] = others.map(|name| std::fs::File::create(folder.path().join(name)).unwrap());
    alive.lock().unwrap();
    let sink = sink(folder.path()).await;
    sink.probe(WriteMode::Overwrite).await.unwrap();
    assert_eq!(files(folder.path()).len(), others.len());
    assert!(!left.exists());
}

#[tokio::test]
async fn probes_at_the_same_time_do_not_meet() {
    let folder = TempDir::new().unwrap();
    let mut probes = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let sink = sink(folder.path()).await;
        probes.spawn(async move { sink.probe(WriteMode::Create).await });
    }
    for probed in probes.join_all().await {
        assert!(probed.unwrap().checked);
    }
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_probe_finds_that_the_disk_can_create_only() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let probed = sink.probe(WriteMode::Create).await.unwrap();
    assert!(probed.checked && probed.capabilities.atomic_create);
}
