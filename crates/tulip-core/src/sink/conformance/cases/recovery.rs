//! Reading stored objects, and resuming or discarding what a writer left.

use super::{Result, check, failed, holds, no_leftovers, open, skipped, store, write};
use crate::conformance::CaseResult;
use crate::sink::conformance::content::{LARGE, bytes, difference};
use crate::sink::conformance::suite::Suite;
use crate::sink::{Listed, OpenOptions, SinkErrorKind, SinkReader, StaleUpload, WriteMode};
use crate::{ObjectKey, Timestamp};

pub(crate) async fn reading(suite: &Suite<'_>) -> Result {
    let sink = suite.sink();
    let missing = suite.key("read/missing.csv")?;
    if !sink.capabilities().read {
        return match (sink.read(&missing).await, sink.list().await) {
            (Err(read), Err(list))
                if [read.kind(), list.kind()] == [SinkErrorKind::Unsupported; 2] =>
            {
                skipped("it does not read or list, and says so")
            }
            _ => failed("it reads or lists without the capability"),
        };
    }
    let mut stored = Vec::new();
    for (name, size) in [("empty", 0), ("small", 11), ("large", LARGE)] {
        let key = suite.key(&format!("read/ä %2F {name}.csv"))?;
        let content = bytes(40, size);
        store(suite, &key, &content).await?;
        let Some(mut reader) = sink.read(&key).await? else {
            return failed(format!("{key} is stored and cannot be read"));
        };
        let found = all(reader.as_mut()).await?;
        if let Some(how) = difference(&content, &found) {
            return failed(format!("{key} is not read as it was written: {how}"));
        }
        stored.push(key);
    }
    check(
        sink.read(&missing).await?.is_none(),
        format!("{missing} can be read"),
    )?;
    let mut unfinished = open(suite, &missing, WriteMode::Overwrite).await?;
    write(unfinished.as_mut(), &bytes(41, LARGE)).await?;
    let below = suite.key("read")?;
    let mut lister = sink.list().await?;
    let mut listed = Vec::new();
    while let Some(entry) = lister.next().await? {
        if let Listed::Key(key) = entry
            && key
                .as_str()
                .strip_prefix(below.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        {
            listed.push(key);
        }
    }
    unfinished.abort().await?;
    listed.sort();
    stored.sort();
    check(
        listed == stored,
        format!("it lists {listed:?} and not {stored:?}"),
    )?;
    Ok(CaseResult::Passed)
}

async fn all(reader: &mut dyn SinkReader) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(chunk) = reader.next().await? {
        check(!chunk.is_empty(), "a chunk that is read is empty")?;
        found.extend_from_slice(&chunk);
    }
    Ok(found)
}

pub(crate) async fn resuming(suite: &Suite<'_>) -> Result {
    let sink = suite.sink();
    let options = OpenOptions::default();
    if !sink.capabilities().resume {
        let left = StaleUpload::new(Timestamp::now()).with_resume_token(Some("x".to_owned()));
        let key = suite.key("resume/unsupported.csv")?;
        return match sink.resume(&key, &options, &left, 0).await {
            Err(error) if error.kind() == SinkErrorKind::Unsupported => {
                skipped("it does not resume, and says so")
            }
            Err(error) => Err(error.into()),
            Ok(_) => failed("it resumes without the capability"),
        };
    }
    let (there, old) = (suite.key("resume/there.csv")?, bytes(42, 5));
    store(suite, &there, &old).await?;
    let content = bytes(43, 2 * LARGE);
    let (left, kept) = leave(suite, &there, &content.slice(..LARGE)).await?;
    holds(suite, &there, Some(&old), "after a checkpoint").await?;
    check(
        kept == LARGE as u64,
        format!("a checkpoint keeps {kept} of {LARGE} bytes"),
    )?;
    let beyond = sink.resume(&there, &options, &left, kept + 1).await?;
    check(beyond.is_none(), "it resumes after more bytes than it has")?;
    // Fewer bytes than there are, as if the process ended before it recorded the last checkpoint.
    let kept = kept - 7;
    let Some(mut resumed) = sink.resume(&there, &options, &left, kept).await? else {
        return failed("what a checkpoint has kept is not there");
    };
    let found = all(resumed.kept.as_mut()).await?;
    if let Some(how) = difference(&content[..LARGE - 7], &found) {
        return failed(format!("what was kept is not what was written: {how}"));
    }
    write(resumed.writer.as_mut(), &content.slice(LARGE - 7..)).await?;
    holds(suite, &there, Some(&old), "while it is resumed").await?;
    let stored = resumed.writer.close().await?;
    check(
        stored.bytes == content.len() as u64,
        format!("{} bytes are stored by its own account", stored.bytes),
    )?;
    holds(suite, &there, Some(&content), "after it was resumed").await?;
    let gone = sink.resume(&there, &options, &left, 1).await?;
    check(gone.is_none(), "it resumes what was closed")?;
    no_leftovers(suite, "after it was resumed").await?;
    Ok(CaseResult::Passed)
}

/// Writes `content`, makes a checkpoint and drops the writer.
async fn leave(
    suite: &Suite<'_>,
    key: &ObjectKey,
    content: &bytes::Bytes,
) -> Result<(StaleUpload, u64)> {
    let opened = Timestamp::now();
    let mut writer = open(suite, key, WriteMode::Overwrite).await?;
    write(writer.as_mut(), content).await?;
    let Some(kept) = writer.checkpoint().await? else {
        return failed("it resumes, and keeps nothing at a checkpoint");
    };
    let trace = writer.resume_token();
    check(trace.is_some(), "what it keeps has no trace")?;
    Ok((StaleUpload::new(opened).with_resume_token(trace), kept))
}

pub(crate) async fn discarding(suite: &Suite<'_>) -> Result {
    let sink = suite.sink();
    let key = suite.key("discard/there.csv")?;
    let old = bytes(44, 5);
    store(suite, &key, &old).await?;
    // A writer that left nothing.
    match sink
        .discard(&key, &StaleUpload::new(Timestamp::now()))
        .await
    {
        Err(error) if error.kind() != SinkErrorKind::Unsupported => return Err(error.into()),
        _ => {}
    }
    let opened = Timestamp::now();
    let mut writer = open(suite, &key, WriteMode::Overwrite).await?;
    write(writer.as_mut(), &bytes(45, LARGE)).await?;
    let Some(trace) = writer.resume_token() else {
        writer.abort().await?;
        return Ok(CaseResult::Skipped(
            "its writers leave nothing that has a trace".to_owned(),
        ));
    };
    let _ = writer.checkpoint().await?;
    // As if the process ended here.
    std::mem::forget(writer);
    let left = StaleUpload::new(opened).with_resume_token(Some(trace));
    sink.discard(&key, &left).await?;
    no_leftovers(suite, "after it was discarded").await?;
    // It is not an error if nothing is left.
    sink.discard(&key, &left).await?;
    holds(suite, &key, Some(&old), "after a discard").await?;
    Ok(CaseResult::Passed)
}
