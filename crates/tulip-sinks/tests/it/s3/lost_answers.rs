//! Commits that succeed, but whose answer is lost.

use std::sync::Arc;

use tulip_core::sink::{Sink, WriteMode};
use tulip_test_s3::{Loss, S3Server, S3ServerBuilder, Seen};

use super::log::Log;
use super::sink_with;
#[cfg(any(feature = "gcs", feature = "azure"))]
use crate::support::connect;
use crate::support::{bytes, put};

/// Two parts.
const LARGE: usize = 5 * 1024 * 1024 + 17;
const PART: (&str, &str) = ("part_size", "5MiB");

async fn sink(server: &S3Server) -> Arc<dyn Sink> {
    sink_with(server, &[PART]).await
}

/// Every way to lose an answer, with every write mode.
fn all() -> impl Iterator<Item = (Loss, WriteMode)> {
    let modes = [WriteMode::Create, WriteMode::Overwrite];
    let losses = [Loss::ServerError, Loss::Closed].into_iter();
    losses.flat_map(move |loss| modes.map(|mode| (loss, mode)))
}

/// Loses the first answer to a request of this kind.
fn first(
    loss: Loss,
    wanted: impl Fn(&Seen) -> bool + Send + 'static,
) -> impl FnMut(&Seen) -> Option<Loss> + Send {
    let mut lost = false;
    move |seen| {
        let loses = !lost && wanted(seen);
        lost |= loses;
        loses.then_some(loss)
    }
}

fn puts(seen: &Seen) -> bool {
    seen.method == "PUT" && seen.target.ends_with("a.csv")
}

fn completes(seen: &Seen) -> bool {
    seen.method == "POST" && seen.target.contains("uploadId=")
}

async fn stores(sink: &dyn Sink, length: usize, mode: WriteMode) {
    let content = bytes(length, 1);
    let stored = put(sink, "a.csv", &content, mode).await.unwrap();
    assert_eq!(stored.bytes, length as u64);
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_stored() {
    for (loss, mode) in all() {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        server.lose(first(loss, puts));
        stores(&*sink, 100, mode).await;
        assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(100, 1));
    }
}

#[tokio::test]
async fn an_upload_whose_end_is_not_answered_is_stored_and_leaves_nothing() {
    let log = Log::default();
    let _guard = log.listen();
    for (loss, mode) in all() {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        server.lose(first(loss, |seen| {
            completes(seen) && seen.target.contains("a.csv")
        }));
        stores(&*sink, LARGE, mode).await;
        assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(LARGE, 1));
        assert_eq!(server.open_uploads(), Vec::<String>::new());
    }
    assert!(!log.text().contains("is left"), "{}", log.text());
}

/// The object is another writer's, even if a lost answer suggests otherwise.
#[tokio::test]
async fn anothers_object_is_not_taken_for_ones_own() {
    for length in [100, LARGE] {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        let theirs = bytes(length, 2);
        put(&*sink, "a.csv", &theirs, WriteMode::Create)
            .await
            .unwrap();
        server.lose(first(Loss::ServerError, |seen| {
            puts(seen) || completes(seen)
        }));
        let again = put(&*sink, "a.csv", &bytes(length, 1), WriteMode::Create).await;
        assert!(again.unwrap_err().is_already_exists());
        assert_eq!(server.object("tulip/a.csv").unwrap(), theirs);
        assert_eq!(server.open_uploads(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn where_no_metadata_is_kept_the_bytes_decide() {
    for (there, is_own) in [(None, true), (Some(2), false)] {
        let server = S3ServerBuilder::default().forgets_metadata().start().await;
        let sink = sink(&server).await;
        if let Some(seed) = there {
            server.put("tulip/a.csv", &bytes(100, seed));
        }
        server.lose(first(Loss::Closed, puts));
        let stored = put(&*sink, "a.csv", &bytes(100, 1), WriteMode::Create).await;
        assert_eq!(stored.is_ok(), is_own, "{stored:?}");
    }
}

/// The store library does not retry a create-only put: it cannot know whether the put succeeded.
#[tokio::test]
async fn a_put_that_was_not_answered_and_not_done_is_sent_again() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut not_done = true;
    server.refuse(move |seen| {
        let refused = puts(seen) && std::mem::replace(&mut not_done, false);
        refused.then_some((400, "Lost"))
    });
    server.lose(first(Loss::Closed, puts));
    stores(&*sink, 100, WriteMode::Create).await;
    assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(100, 1));
}

#[tokio::test]
async fn a_probe_whose_answers_are_lost_still_finds_what_the_store_keeps() {
    for loss in [Loss::ServerError, Loss::Closed] {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        server.lose(first(loss, |seen| {
            seen.method == "PUT" && seen.target.contains(".tulip-probe.")
        }));
        let probed = sink.probe(WriteMode::Create).await.unwrap();
        assert!(probed.capabilities.atomic_create);
        assert_eq!(server.keys(), Vec::<String>::new());
    }
}

/// Create-only uploads to Google end under another name and are copied from there.
#[cfg(feature = "gcs")]
#[tokio::test]
async fn googles_puts_uploads_and_copies_are_stored_too() {
    let copies = |seen: &Seen| puts(seen) && seen.headers.contains_key("x-goog-copy-source");
    for (loss, mode) in all() {
        for (length, lost) in [
            (100, puts as fn(&Seen) -> bool),
            (LARGE, completes),
            (LARGE, copies),
        ] {
            let server = S3ServerBuilder::default().google().start().await;
            let options = [
                ("endpoint", server.endpoint.as_str()),
                ("anonymous", "true"),
                PART,
                ("create_only", "always"),
            ];
            let sink = connect("gs://lake/tulip", &options).await.unwrap();
            server.lose(first(loss, lost));
            stores(&*sink, length, mode).await;
            assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(length, 1));
            assert_eq!(server.open_uploads(), Vec::<String>::new());
            assert_eq!(server.staged(), Vec::<String>::new());
        }
    }
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn azures_blobs_and_lists_of_blocks_are_stored_too() {
    let ends = |seen: &Seen| seen.target.contains("comp=blocklist");
    for (loss, mode) in all() {
        for (length, lost) in [(100, puts as fn(&Seen) -> bool), (LARGE, ends)] {
            let server = tulip_test_s3::AzureServer::start().await;
            let options = [
                ("endpoint", server.endpoint.as_str()),
                ("account", "devstoreaccount1"),
                ("anonymous", "true"),
                PART,
            ];
            let sink = connect("az://lake/tulip", &options).await.unwrap();
            server.lose(first(loss, lost));
            stores(&*sink, length, mode).await;
            assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(length, 1));
            let other = put(&*sink, "a.csv", &bytes(length, 2), WriteMode::Create).await;
            assert!(other.unwrap_err().is_already_exists());
        }
    }
}
