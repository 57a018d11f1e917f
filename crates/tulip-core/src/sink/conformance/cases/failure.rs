//! Behaviour after a failed or dropped write.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Result, check, failed, holds, open, skipped};
use crate::conformance::CaseResult;
use crate::sink::conformance::content::{LARGE, bytes};
use crate::sink::conformance::suite::Suite;
use crate::sink::{OpenOptions, WriteMode};

/// The number of 1 MiB chunks after which a sink is believed not to fail.
const CHUNKS: usize = 64;

pub(crate) async fn stays(suite: &Suite<'_>) -> Result {
    let Some(sink) = suite.failing(&suite.key("failed")?).await else {
        return Ok(CaseResult::Skipped(
            "the suite has no sink whose writes fail".to_owned(),
        ));
    };
    let chunk = bytes(15, 1024 * 1024);
    for closed in [true, false] {
        let key = suite.key(&format!("failed/{closed}.csv"))?;
        let mut writer = sink.open(&key, &OpenOptions::default()).await?;
        let mut has_failed = false;
        for _ in 0..CHUNKS {
            has_failed = writer.write(chunk.clone()).await.is_err();
            if has_failed {
                break;
            }
        }
        if !has_failed {
            return failed(format!("{CHUNKS} MiB were written and none failed"));
        }
        let again = writer.write(chunk.clone()).await;
        check(again.is_err(), "a write succeeds after one that failed")?;
        match closed {
            true => {
                let closed = writer.close().await;
                check(closed.is_err(), "close succeeds after a write that failed")?;
            }
            false => writer.abort().await?,
        }
        holds(suite, &key, None, "after a write that failed").await?;
    }
    super::no_leftovers(suite, "after a write that failed").await?;
    Ok(CaseResult::Passed)
}

pub(crate) async fn dropped(suite: &Suite<'_>) -> Result {
    let chunk = bytes(16, LARGE);
    for closed in [true, false] {
        let key = suite.key(&format!("dropped/{closed}.csv"))?;
        let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
        if let Some(written) = polled_once(writer.write(chunk.clone())).await {
            written?;
            writer.abort().await?;
            return skipped("its writes do not wait");
        }
        let again = writer.write(chunk.slice(..11)).await;
        check(
            again.is_err(),
            "a write succeeds after one that was dropped",
        )?;
        match closed {
            true => {
                let closed = writer.close().await;
                check(closed.is_err(), "close succeeds after a dropped write")?;
            }
            false => writer.abort().await?,
        }
        holds(suite, &key, None, "after a dropped write").await?;
    }
    super::no_leftovers(suite, "after a dropped write").await?;
    Ok(CaseResult::Passed)
}

/// Polls a future once, then drops it.
async fn polled_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
