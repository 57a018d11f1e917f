//! Written objects, and when they become visible.

use proptest::prelude::*;
use tempfile::TempDir;
use tulip_core::sink::{OpenOptions, SinkErrorKind, WriteMode};

use super::{LARGE, files, sink};
use crate::support::{bytes, key, put};

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
async fn a_file_of_one_part_is_staged_on_close_and_others_when_they_are_written() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let part = 2 * 1024 * 1024;
    for (hint, stages_on_close) in [(part, true), (part + 1, false)] {
        let options = OpenOptions::default().with_size_hint(Some(hint as u64));
        let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
        assert_eq!(writer.stages_on_close(), stages_on_close, "{hint}");
        writer.write(bytes(hint, 1)).await.unwrap();
        assert_eq!(files(folder.path()).is_empty(), stages_on_close, "{hint}");
        writer.abort().await.unwrap();
    }
    let unknown = OpenOptions::default();
    let writer = sink.open(&key("a.csv"), &unknown).await.unwrap();
    assert!(!writer.stages_on_close());
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
    // With one blocking thread, a task that is queued after the removal runs after it.
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
    // Each key had two writers: it has the whole content of the one that closed last.
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
        "a/x#1",
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
async fn what_a_killed_run_has_staged_is_removed_by_the_next() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let left = folder.path().join("a/.old.csv.c0ffee00.partial");
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
async fn a_folder_of_the_targets_name_is_no_object_and_is_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    let taken = key("taken");
    assert_eq!(sink.lookup(&taken).await.unwrap(), None);
    assert!(sink.read(&taken).await.unwrap().is_none());
    for mode in [WriteMode::Overwrite, WriteMode::Create] {
        let options = OpenOptions::default().with_mode(mode);
        let error = sink.open(&taken, &options).await.err().unwrap();
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
        assert!(error.to_string().contains("it is a folder"), "{error}");
    }
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

/// Otherwise a dangling link would be kept as if it were an archive.
#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_no_object_that_can_be_kept() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    std::os::unix::fs::symlink("nowhere", folder.path().join("taken")).unwrap();
    assert_eq!(sink.lookup(&key("taken")).await.unwrap(), None);
    let create = OpenOptions::default().with_mode(WriteMode::Create);
    let error = sink.open(&key("taken"), &create).await.err().unwrap();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[tokio::test]
async fn a_file_where_a_folder_is_needed_is_refused_and_nothing_is_there() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let below = key("file/a.csv");
    assert_eq!(sink.lookup(&below).await.unwrap(), None);
    assert!(sink.read(&below).await.unwrap().is_none());
    let opened = sink.open(&below, &OpenOptions::default()).await;
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
}

#[tokio::test]
async fn a_file_that_must_be_new_and_is_there_is_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    std::fs::write(folder.path().join("a.csv"), "x").unwrap();
    let options = OpenOptions::default().with_mode(WriteMode::Create);
    let opened = sink.open(&key("a.csv"), &options).await;
    assert!(opened.err().unwrap().is_already_exists());
}

#[tokio::test]
async fn a_file_that_came_meanwhile_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let options = OpenOptions::default().with_mode(WriteMode::Create);
    for length in [3, LARGE] {
        let path = folder.path().join(format!("{length}.csv"));
        let name = format!("{length}.csv");
        let mut writer = sink.open(&key(&name), &options).await.unwrap();
        writer.write(bytes(length, 1)).await.unwrap();
        std::fs::write(&path, "theirs").unwrap();
        let error = writer.close().await.unwrap_err();
        assert!(error.is_already_exists(), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    }
    assert_eq!(files(folder.path()).len(), 2);
}

/// The target of a link belongs to someone else and may be outside the folder.
#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_targets_place_is_replaced_itself() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    let sink = sink(&root).await;
    let outside = folder.path().join("outside.csv");
    std::fs::write(&outside, "mine").unwrap();
    std::fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("a.csv")).unwrap();
    put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&outside).unwrap(), b"mine");
    assert!(!root.join("a.csv").is_symlink());
    assert_eq!(std::fs::read(root.join("a.csv")).unwrap(), bytes(3, 1));
}

#[tokio::test]
async fn a_staged_file_that_is_gone_is_an_error_that_says_so() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    let options = OpenOptions::default();
    let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
    writer.write(bytes(LARGE, 1)).await.unwrap();
    writer.checkpoint().await.unwrap();
    let staged = folder.path().join(writer.resume_token().unwrap());
    std::fs::remove_file(staged).unwrap();
    let error = writer.close().await.unwrap_err();
    assert!(
        error.to_string().contains("removed by another process"),
        "{error}"
    );
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn the_tag_of_a_new_file_is_the_one_that_a_lookup_finds() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path()).await;
    for length in [3, LARGE] {
        let stored = put(&*sink, "a.csv", &bytes(length, 1), WriteMode::Overwrite)
            .await
            .unwrap();
        assert!(stored.etag.is_some());
        let found = sink.lookup(&key("a.csv")).await.unwrap();
        assert_eq!(found, Some(stored));
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
