//! When an object is visible.

use super::{Result, holds, no_leftovers, open, store, write};
use crate::conformance::CaseResult;
use crate::sink::conformance::content::{LARGE, bytes};
use crate::sink::conformance::suite::Suite;
use crate::sink::{OpenOptions, WriteMode};

const SIZES: [(&str, usize); 2] = [("small", 11), ("large", LARGE)];

pub(crate) async fn before_close(suite: &Suite<'_>) -> Result {
    for (name, size) in SIZES {
        let key = suite.key(&format!("before/{name}.csv"))?;
        let content = bytes(1, size);
        let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
        holds(suite, &key, None, "once its writer is open").await?;
        write(writer.as_mut(), &content).await?;
        holds(suite, &key, None, "before close").await?;
        writer.close().await?;
        holds(suite, &key, Some(&content), "after close").await?;
    }
    no_leftovers(suite, "after close").await?;
    Ok(CaseResult::Passed)
}

pub(crate) async fn staging(suite: &Suite<'_>) -> Result {
    for (name, size) in SIZES {
        let key = suite.key(&format!("staging/{name}.csv"))?;
        let options = OpenOptions::default().with_size_hint(Some(size as u64));
        let mut writer = suite.sink().open(&key, &options).await?;
        no_leftovers(suite, "before the first write").await?;
        let stages_on_close = writer.stages_on_close();
        write(writer.as_mut(), &bytes(8, size)).await?;
        if stages_on_close {
            let when = "before the close of a writer that stages on close";
            no_leftovers(suite, when).await?;
        }
        writer.close().await?;
    }
    Ok(CaseResult::Passed)
}

pub(crate) async fn overwriting(suite: &Suite<'_>) -> Result {
    for (name, first, second) in [("grows", 7, LARGE), ("shrinks", LARGE, 7)] {
        let key = suite.key(&format!("overwrite/{name}.csv"))?;
        let (old, new) = (bytes(2, first), bytes(3, second));
        store(suite, &key, &old).await?;
        let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
        write(writer.as_mut(), &new).await?;
        holds(suite, &key, Some(&old), "while it is overwritten").await?;
        writer.close().await?;
        holds(suite, &key, Some(&new), "after it was overwritten").await?;
    }
    Ok(CaseResult::Passed)
}

pub(crate) async fn aborting(suite: &Suite<'_>) -> Result {
    for (name, size) in [("empty", 0), SIZES[0], SIZES[1]] {
        let fresh = suite.key(&format!("abort/{name}.csv"))?;
        let there = suite.key(&format!("abort/{name}-there.csv"))?;
        let old = bytes(4, 5);
        store(suite, &there, &old).await?;
        for key in [&fresh, &there] {
            let mut writer = open(suite, key, WriteMode::Overwrite).await?;
            write(writer.as_mut(), &bytes(5, size)).await?;
            writer.abort().await?;
        }
        holds(suite, &fresh, None, "after an abort").await?;
        holds(suite, &there, Some(&old), "after an abort").await?;
        no_leftovers(suite, "after an abort").await?;
    }
    Ok(CaseResult::Passed)
}

pub(crate) async fn dropping(suite: &Suite<'_>) -> Result {
    for (name, size) in [("empty", 0), SIZES[0], SIZES[1]] {
        let fresh = suite.key(&format!("drop/{name}.csv"))?;
        let there = suite.key(&format!("drop/{name}-there.csv"))?;
        let old = bytes(6, 5);
        store(suite, &there, &old).await?;
        for key in [&fresh, &there] {
            let mut writer = open(suite, key, WriteMode::Overwrite).await?;
            write(writer.as_mut(), &bytes(7, size)).await?;
            drop(writer);
        }
        let when = "after its writer was dropped";
        holds(suite, &fresh, None, when).await?;
        holds(suite, &there, Some(&old), when).await?;
    }
    Ok(CaseResult::Passed)
}
