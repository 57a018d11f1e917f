use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;
use tulip_core::Timestamp;
use tulip_core::sink::{
    ConnectOptions, Leftover, OpenOptions, Sink, SinkErrorKind, SinkRegistry, SinkUrl, WriteMode,
};
use tulip_sinks as _;

use crate::support::{bytes, key, put};

/// Above what is kept for a single put, so that parts are used, and not a multiple of a part.
const LARGE: usize = 9 * 1024 * 1024 + 17;

async fn sink(folder: &Path) -> Arc<dyn Sink> {
    let url = SinkUrl::from_path(folder).unwrap();
    let registry = SinkRegistry::linked().unwrap();
    registry
        .connect(&url, &ConnectOptions::default())
        .await
        .unwrap()
}

/// Every file below `folder`, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn small_and_large_objects_arrive_whole_and_are_found() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for length in [0, 5, 4 * 1024 * 1024, LARGE] {
        let content = bytes(length, length);
        let stored = put(&*sink, "a/b.csv", &content, WriteMode::Overwrite)
            .await
            .unwrap();
        assert_eq!(stored.bytes, length as u64);
        assert_eq!(
            std::fs::read(folder.path().join("a/b.csv")).unwrap(),
            content
        );
        let found = sink.lookup(&key("a/b.csv")).await.unwrap().unwrap();
        assert_eq!(found.bytes, length as u64);
    }
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(sink.lookup(&key("a/c.csv")).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_new_is_visible_before_close_and_the_old_object_stays() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    writer.write(bytes(LARGE, 2)).await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("a.csv")).unwrap(),
        bytes(3, 1)
    );
    writer.close().await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("a.csv")).unwrap(),
        bytes(LARGE, 2)
    );
}

#[tokio::test]
async fn abort_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for length in [3, LARGE] {
        let mut writer = sink
            .open(&key("a.csv"), &OpenOptions::default())
            .await
            .unwrap();
        writer.write(bytes(length, 2)).await.unwrap();
        writer.abort().await.unwrap();
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    // With one blocking thread, what is queued behind the removal runs after it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let sink = sink(folder.path()).await;
        let mut writer = sink
            .open(&key("a.csv"), &OpenOptions::default())
            .await
            .unwrap();
        writer.write(bytes(LARGE, 2)).await.unwrap();
        drop(writer);
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    });
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn create_never_replaces_an_object() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    assert!(sink.capabilities().atomic_create && sink.capabilities().lookup);
    for length in [3, LARGE] {
        let name = format!("{length}.csv");
        put(&*sink, &name, &bytes(length, 1), WriteMode::Create)
            .await
            .unwrap();
        let refused = put(&*sink, &name, &bytes(length, 2), WriteMode::Create).await;
        let error = refused.unwrap_err();
        assert!(error.is_already_exists(), "{error}");
        assert_eq!(
            std::fs::read(folder.path().join(&name)).unwrap(),
            bytes(length, 1)
        );
    }
    assert_eq!(files(folder.path()).len(), 2);
}

#[tokio::test]
async fn writers_side_by_side_do_not_mix() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let mut writers = Vec::new();
    for n in 0..4 {
        let name = format!("{}.csv", n / 2);
        writers.push((
            n,
            sink.open(&key(&name), &OpenOptions::default())
                .await
                .unwrap(),
        ));
    }
    for _ in 0..6 {
        for (n, writer) in &mut writers {
            writer.write(bytes(1_500_000, *n)).await.unwrap();
        }
    }
    for (_, writer) in writers {
        writer.close().await.unwrap();
    }
    // Two writers had the same key each: the one that closed last has it, whole.
    for (name, seed) in [("0.csv", 1), ("1.csv", 3)] {
        let expected = bytes(1_500_000, seed).repeat(6);
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), expected);
    }
    assert_eq!(files(folder.path()).len(), 2);
}

#[tokio::test]
async fn odd_but_valid_keys_become_files_of_that_very_name() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for name in [
        "Mühle 07/100% €.csv",
        "a%2Fb.csv",
        "~x/#y/[z].csv",
        "日本/😀.csv",
    ] {
        put(&*sink, name, &bytes(3, 1), WriteMode::Overwrite)
            .await
            .unwrap();
        assert!(folder.path().join(name).is_file(), "{name}");
        assert!(sink.location(&key(name)).ends_with(name));
        assert!(sink.lookup(&key(name)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn names_that_the_store_keeps_for_itself_are_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let refused = sink.open(&key("a/x#1"), &OpenOptions::default()).await;
    let error = refused.err().unwrap();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(error.to_string().contains("cannot end in #1"), "{error}");
}

#[tokio::test]
async fn what_a_killed_run_has_staged_is_removed_by_the_next() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let left = folder.path().join("a/.old.csv.c0ffee00.partial#1");
    let file = std::fs::File::create_new(&left).unwrap();
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    file.set_modified(yesterday).unwrap();
    let sink = sink(folder.path()).await;
    put(&*sink, "a/new.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(
        files(folder.path()),
        [folder.path().join("a/new.csv").display().to_string()]
    );
}

#[tokio::test]
async fn many_tiny_chunks_arrive_in_order_between_large_ones() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    let content = bytes(LARGE, 5);
    let mut rest = content.clone();
    let mut turn = 0;
    while !rest.is_empty() {
        turn += 1;
        let size = if turn % 50 == 0 {
            300_000
        } else {
            turn % 7 * 100
        };
        writer
            .write(rest.split_to(rest.len().min(size)))
            .await
            .unwrap();
    }
    writer.close().await.unwrap();
    assert!(std::fs::read(folder.path().join("a.csv")).unwrap() == content);
}

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
        .connect(&url, &ConnectOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(
        error.to_string().contains(r#"no option "fsync""#),
        "{error}"
    );
}

#[tokio::test]
async fn an_object_where_a_folder_is_needed_is_an_error_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    for length in [3, LARGE] {
        let refused = put(&*sink, "taken", &bytes(length, 1), WriteMode::Overwrite).await;
        assert!(refused.is_err());
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn chunks_of_any_size_arrive_in_order(sizes in proptest::collection::vec(0..3_000_000_usize, 0..8)) {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let expected = runtime.block_on(async {
            let sink = sink(folder.path()).await;
            let mut writer = sink.open(&key("a.csv"), &OpenOptions::default()).await.unwrap();
            let mut expected = Vec::new();
            for (seed, size) in sizes.into_iter().enumerate() {
                let chunk = bytes(size, seed);
                expected.extend_from_slice(&chunk);
                writer.write(chunk).await.unwrap();
            }
            writer.close().await.unwrap();
            expected
        });
        prop_assert!(std::fs::read(folder.path().join("a.csv")).unwrap() == expected);
    }
}

#[tokio::test]
async fn a_probe_removes_what_one_before_was_killed_in() {
    let folder = TempDir::new().unwrap();
    let left = folder.path().join(".tulip-probe.00000000.partial");
    std::fs::write(&left, "probe").unwrap();
    sink(folder.path())
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(files(folder.path()), Vec::<String>::new());
    // Not what is none of ours.
    std::fs::create_dir(&left).unwrap();
    sink(folder.path())
        .await
        .probe(WriteMode::Overwrite)
        .await
        .unwrap();
    assert!(left.is_dir());
}

/// A process that is killed while it makes an object that must be new leaves it under both names.
#[cfg(unix)]
#[tokio::test]
async fn what_can_be_seen_already_is_not_gone_on_with() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let opened = Timestamp::now();
    let options = OpenOptions::default();
    let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
    writer.write(bytes(LARGE, 1)).await.unwrap();
    assert_eq!(writer.checkpoint().await.unwrap(), Some(LARGE as u64));
    let left = Leftover::new(opened).with_trace(writer.trace());
    drop(writer);
    let staged = folder.path().join(left.trace.as_deref().unwrap());
    std::fs::hard_link(&staged, folder.path().join("a.csv")).unwrap();
    let resumed = sink.resume(&key("a.csv"), &options, &left, 5).await;
    assert!(resumed.unwrap().is_none());
    sink.discard(&key("a.csv"), &left).await.unwrap();
    let there = std::fs::read(folder.path().join("a.csv")).unwrap();
    assert!(there == bytes(LARGE, 1));
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_trace_from_outside_leads_nowhere() {
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
        "../.x.00000000.partial",
        "",
        "/.x.00000000.partial",
    ] {
        let left = Leftover::new(Timestamp::now()).with_trace(Some(trace.to_owned()));
        sink.discard(&key("a.csv"), &left).await.unwrap();
        let (key, options) = (key("a.csv"), OpenOptions::default());
        let resumed = sink.resume(&key, &options, &left, 1).await;
        assert!(resumed.unwrap().is_none(), "{trace}");
    }
    assert!(outside.exists() && root.join("a.csv").exists());
}
