//! The bytes of objects.

use bytes::Bytes;

use super::{Result, check, failed, holds, open, store, write};
use crate::conformance::CaseResult;
use crate::sink::WriteMode;
use crate::sink::conformance::content::{LARGE, bytes};
use crate::sink::conformance::suite::Suite;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

async fn in_chunks(suite: &Suite<'_>, name: &str, sizes: &[usize]) -> Result {
    let key = suite.key(name)?;
    let content = bytes(8, sizes.iter().sum());
    let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
    let mut rest = content.clone();
    for size in sizes {
        writer.write(rest.split_to(*size)).await?;
    }
    let stored = writer.close().await?;
    check(
        stored.bytes == content.len() as u64,
        format!("close says {} bytes of {}", stored.bytes, content.len()),
    )?;
    holds(suite, &key, Some(&content), "after close").await?;
    Ok(CaseResult::Passed)
}

pub(crate) async fn any_size(suite: &Suite<'_>) -> Result {
    let sizes = [
        0,
        1,
        13,
        16 * KIB - 1,
        16 * KIB,
        64 * KIB + 1,
        MIB,
        9 * MIB + 3,
        0,
        20 * MIB,
        2,
    ];
    in_chunks(suite, "chunks/any.csv", &sizes).await
}

pub(crate) async fn many_small(suite: &Suite<'_>) -> Result {
    in_chunks(suite, "chunks/small.csv", &[97; 20_000]).await
}

pub(crate) async fn empty(suite: &Suite<'_>) -> Result {
    let nothing = Bytes::new();
    let never = suite.key("empty/never-written.csv")?;
    store(suite, &never, &nothing).await?;
    holds(suite, &never, Some(&nothing), "after close").await?;
    in_chunks(suite, "empty/empty-chunks.csv", &[0, 0, 0]).await?;
    let replaced = suite.key("empty/replaced.csv")?;
    store(suite, &replaced, &bytes(9, 100)).await?;
    store(suite, &replaced, &nothing).await?;
    holds(suite, &replaced, Some(&nothing), "after close").await?;
    Ok(CaseResult::Passed)
}

pub(crate) async fn concurrent(suite: &Suite<'_>) -> Result {
    let mut open_ones = Vec::new();
    for (seed, size) in [(10, LARGE), (11, 100_000), (12, LARGE / 2)] {
        let key = suite.key(&format!("concurrent/{seed}.csv"))?;
        let content = bytes(seed, size);
        let writer = open(suite, &key, WriteMode::Overwrite).await?;
        open_ones.push((key, content.clone(), content, writer));
    }
    while open_ones.iter().any(|(_, _, rest, _)| !rest.is_empty()) {
        for (_, _, rest, writer) in &mut open_ones {
            let chunk = rest.split_to(rest.len().min(500_009));
            writer.write(chunk).await?;
        }
    }
    for (key, content, _, writer) in open_ones {
        writer.close().await?;
        holds(suite, &key, Some(&content), "beside others").await?;
    }
    Ok(CaseResult::Passed)
}

/// One of the writers may be refused, but the object must be the whole content of another.
pub(crate) async fn same_key(suite: &Suite<'_>) -> Result {
    let key = suite.key("concurrent/same.csv")?;
    let contents = [bytes(13, LARGE), bytes(14, LARGE + 1)];
    let mut writers = Vec::new();
    for content in &contents {
        let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
        write(writer.as_mut(), content).await?;
        writers.push(writer);
    }
    let mut stored = Vec::new();
    let mut refusal = None;
    for (writer, content) in writers.into_iter().zip(&contents) {
        match writer.close().await {
            Ok(_) => stored.push(content),
            Err(error) => refusal = Some(error),
        }
    }
    match (stored.as_slice(), refusal) {
        ([], Some(error)) => return Err(error.into()),
        (stored, _) => match suite.read(&key).await? {
            Some(found) if stored.iter().any(|content| **content == found) => {}
            Some(_) => return failed(format!("{key} is none of those that were stored")),
            None => return failed(format!("{key} is not there")),
        },
    }
    Ok(CaseResult::Passed)
}
