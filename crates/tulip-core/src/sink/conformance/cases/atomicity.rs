//! When an object can be seen.

use super::{Result, holds, key, no_leftovers, open, store, write};
use crate::sink::WriteMode;
use crate::sink::conformance::content::{LARGE, bytes};
use crate::sink::conformance::{Fixture, Verdict};

const SIZES: [(&str, usize); 2] = [("small", 11), ("large", LARGE)];

pub(in super::super) async fn before_close(fixture: &dyn Fixture) -> Result {
    for (name, size) in SIZES {
        let key = key(&format!("before/{name}.csv"))?;
        let content = bytes(1, size);
        let mut writer = open(fixture, &key, WriteMode::Overwrite).await?;
        holds(fixture, &key, None, "once its writer is open").await?;
        write(writer.as_mut(), &content).await?;
        holds(fixture, &key, None, "before close").await?;
        writer.close().await?;
        holds(fixture, &key, Some(&content), "after close").await?;
    }
    no_leftovers(fixture, "after close").await?;
    Ok(Verdict::Passed)
}

pub(in super::super) async fn overwriting(fixture: &dyn Fixture) -> Result {
    for (name, first, second) in [("grows", 7, LARGE), ("shrinks", LARGE, 7)] {
        let key = key(&format!("overwrite/{name}.csv"))?;
        let (old, new) = (bytes(2, first), bytes(3, second));
        store(fixture, &key, &old).await?;
        let mut writer = open(fixture, &key, WriteMode::Overwrite).await?;
        write(writer.as_mut(), &new).await?;
        holds(fixture, &key, Some(&old), "while it is overwritten").await?;
        writer.close().await?;
        holds(fixture, &key, Some(&new), "after it was overwritten").await?;
    }
    Ok(Verdict::Passed)
}

pub(in super::super) async fn aborting(fixture: &dyn Fixture) -> Result {
    for (name, size) in [("empty", 0), SIZES[0], SIZES[1]] {
        let fresh = key(&format!("abort/{name}.csv"))?;
        let there = key(&format!("abort/{name}-there.csv"))?;
        let old = bytes(4, 5);
        store(fixture, &there, &old).await?;
        for key in [&fresh, &there] {
            let mut writer = open(fixture, key, WriteMode::Overwrite).await?;
            write(writer.as_mut(), &bytes(5, size)).await?;
            writer.abort().await?;
        }
        holds(fixture, &fresh, None, "after an abort").await?;
        holds(fixture, &there, Some(&old), "after an abort").await?;
        no_leftovers(fixture, "after an abort").await?;
    }
    Ok(Verdict::Passed)
}

pub(in super::super) async fn dropping(fixture: &dyn Fixture) -> Result {
    for (name, size) in [("empty", 0), SIZES[0], SIZES[1]] {
        let fresh = key(&format!("drop/{name}.csv"))?;
        let there = key(&format!("drop/{name}-there.csv"))?;
        let old = bytes(6, 5);
        store(fixture, &there, &old).await?;
        for key in [&fresh, &there] {
            let mut writer = open(fixture, key, WriteMode::Overwrite).await?;
            write(writer.as_mut(), &bytes(7, size)).await?;
            drop(writer);
        }
        let when = "after its writer was dropped";
        holds(fixture, &fresh, None, when).await?;
        holds(fixture, &there, Some(&old), when).await?;
    }
    Ok(Verdict::Passed)
}
