//! Unfinished uploads, which leave nothing behind.

use bytes::Bytes;
use tulip_core::sink::{OpenOptions, SinkError, SinkWriter, WriteMode};
use tulip_test_s3::{S3Server, Seen};

use super::log::Log;
use super::{LARGE, sink};
use crate::support::{bytes, key, put};

async fn write_all(writer: &mut dyn SinkWriter, content: &Bytes) -> Result<(), SinkError> {
    let mut rest = content.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(1 << 20))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_part_that_fails_ends_the_upload_and_is_the_error() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut parts = 0;
    server.refuse(move |seen| {
        parts += usize::from(seen.is_part());
        (seen.is_part() && parts == 2).then_some((403, "AccessDenied"))
    });
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    let mut result = Ok(());
    for _ in 0..16 {
        result = write_all(&mut *writer, &bytes(8 << 20, 1)).await;
        if result.is_err() {
            break;
        }
    }
    let error = result.unwrap_err();
    assert!(error.to_string().contains("access denied"), "{error}");
    assert!(writer.write(bytes(1, 1)).await.is_err());
    assert!(writer.close().await.is_err());
    assert!(server.object("tulip/a.csv").is_none());
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
}

#[tokio::test]
async fn an_overloaded_store_is_asked_again() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut first = true;
    server.refuse(move |seen| {
        let slow = seen.is_part() && std::mem::take(&mut first);
        slow.then_some((503, "SlowDown"))
    });
    let content = bytes(LARGE, 1);
    put(&*sink, "a.csv", &content, WriteMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(server.object("tulip/a.csv").unwrap(), content);
}

#[tokio::test]
async fn aborting_removes_the_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    put(&*sink, "a.csv", &bytes(3, 1), WriteMode::Overwrite)
        .await
        .unwrap();
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    write_all(&mut *writer, &bytes(LARGE, 2)).await.unwrap();
    writer.abort().await.unwrap();
    assert!(server.uploads().is_empty(), "{:?}", server.uploads());
    assert_eq!(server.object("tulip/a.csv").unwrap(), bytes(3, 1));
}

#[tokio::test]
async fn dropping_a_writer_removes_the_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    let mut writer = sink
        .open(&key("a.csv"), &OpenOptions::default())
        .await
        .unwrap();
    write_all(&mut *writer, &bytes(LARGE, 2)).await.unwrap();
    drop(writer);
    server.until(Seen::is_abort).await;
    assert!(server.object("tulip/a.csv").is_none());
}

/// The upload exists once the server has received the request, even if nobody awaits the answer.
#[tokio::test]
async fn an_upload_whose_beginning_is_not_awaited_is_aborted_too() {
    for aborts in [true, false] {
        let server = S3Server::start().await;
        let sink = sink(&server).await;
        server.hold_beginnings(true);
        let options = OpenOptions::default();
        let mut writer = sink.open(&key("a.csv"), &options).await.unwrap();
        let content = bytes(LARGE, 1);
        tokio::select! {
            written = write_all(&mut *writer, &content) => panic!("{written:?}"),
            () = server.until_held(Seen::is_beginning) => {}
        }
        match aborts {
            true => {
                let (aborted, ()) = tokio::join!(writer.abort(), async {
                    server.hold_beginnings(false);
                });
                aborted.unwrap();
                assert_eq!(server.uploads(), Vec::<String>::new());
            }
            false => {
                drop(writer);
                server.hold_beginnings(false);
                server.until(Seen::is_abort).await;
            }
        }
    }
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_takes_back_its_upload() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.hold_beginnings(true);
    tokio::select! {
        probed = sink.probe(WriteMode::Overwrite) => panic!("{probed:?}"),
        () = server.until_held(Seen::is_beginning) => {}
    }
    server.hold_beginnings(false);
    server.until(Seen::is_abort).await;
}

#[tokio::test]
async fn an_abort_that_fails_is_logged_with_the_key() {
    let server = S3Server::start().await;
    let sink = sink(&server).await;
    server.refuse(|seen| match () {
        () if seen.is_part() => Some((400, "QuotaExceeded")),
        () if seen.is_abort() => Some((403, "AccessDenied")),
        () => None,
    });
    let log = Log::default();
    let _guard = log.listen();
    let error = put(&*sink, "lost.csv", &bytes(LARGE, 1), WriteMode::Overwrite).await;
    assert!(error.unwrap_err().to_string().contains("no space left"));
    let log = log.text();
    assert!(
        log.contains("an unfinished upload of")
            && log.contains("s3://lake/tulip/lost.csv")
            && log.contains("access denied"),
        "{log}"
    );
}
