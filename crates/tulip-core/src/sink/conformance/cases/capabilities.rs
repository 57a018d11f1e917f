//! Whether a sink does what its capabilities promise.

use super::{Result, check, failed, holds, open, put, skipped, store, write};
use crate::ObjectKey;
use crate::conformance::CaseResult;
use crate::sink::conformance::content::{LARGE, bytes};
use crate::sink::conformance::suite::Suite;
use crate::sink::{SinkErrorKind, StoredObject, WriteMode};

pub(crate) async fn probe(suite: &Suite<'_>) -> Result {
    let probe = suite.sink().probe(WriteMode::Create).await?;
    super::no_leftovers(suite, "after a probe").await?;
    match probe.checked {
        true => Ok(CaseResult::Passed),
        false => skipped("it has no probe"),
    }
}

pub(crate) async fn create(suite: &Suite<'_>) -> Result {
    if !suite
        .sink()
        .probe(WriteMode::Create)
        .await?
        .capabilities
        .atomic_create
    {
        let key = suite.key("create/unsupported.csv")?;
        return match open(suite, &key, WriteMode::Create).await {
            Err(error) if error.kind() == SinkErrorKind::Unsupported => {
                skipped("it has no atomic create, and says so")
            }
            Err(error) => Err(error.into()),
            Ok(_) => failed("an object that must be new is opened without atomic_create"),
        };
    }
    for (name, size) in [("small", 11), ("large", LARGE)] {
        let there = suite.key(&format!("create/{name}.csv"))?;
        let (first, second) = (bytes(16, size), bytes(17, size + 1));
        put(suite, &there, WriteMode::Create, &first).await?;
        match put(suite, &there, WriteMode::Create, &second).await {
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return failed(format!("{there} is made a second time")),
        }
        holds(suite, &there, Some(&first), "after a second create").await?;
        one_wins(suite, name, size).await?;
    }
    super::no_leftovers(suite, "after a create that was refused").await?;
    Ok(CaseResult::Passed)
}

/// Checks that of two writers opened for a free key, exactly one gets it.
async fn one_wins(suite: &Suite<'_>, name: &str, size: usize) -> Result<()> {
    let raced = suite.key(&format!("create/raced-{name}.csv"))?;
    let contents = [bytes(18, size), bytes(19, size)];
    let mut writers = Vec::new();
    for content in &contents {
        let mut writer = open(suite, &raced, WriteMode::Create).await?;
        write(writer.as_mut(), content).await?;
        writers.push(writer);
    }
    let mut winners = Vec::new();
    for (writer, content) in writers.into_iter().zip(&contents) {
        match writer.close().await {
            Ok(_) => winners.push(content),
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(error.into()),
        }
    }
    match winners.as_slice() {
        [winner] => holds(suite, &raced, Some(winner), "after a race").await,
        several => failed(format!("{} writers made {raced}", several.len())),
    }
}

pub(crate) async fn lookup(suite: &Suite<'_>) -> Result {
    let (there, missing) = (
        suite.key("lookup/there.csv")?,
        suite.key("lookup/missing.csv")?,
    );
    let content = bytes(30, 12_345);
    store(suite, &there, &content).await?;
    let sink = suite.sink();
    if !sink.capabilities().lookup {
        return match sink.lookup(&there).await {
            Err(error) if error.kind() == SinkErrorKind::Unsupported => {
                skipped("it has no lookup, and says so")
            }
            Err(error) => Err(error.into()),
            Ok(_) => failed("a lookup answers without the capability"),
        };
    }
    for content in [content, bytes(31, LARGE)] {
        let stored = put(suite, &there, WriteMode::Overwrite, &content).await?;
        finds(suite, &there, &stored).await?;
    }
    let found = sink.lookup(&missing).await?;
    check(found.is_none(), format!("{missing} is found"))?;
    Ok(CaseResult::Passed)
}

/// Checks that a lookup returns what the writer returned at close: a caller that compares the two
/// must not see another object.
async fn finds(suite: &Suite<'_>, key: &ObjectKey, stored: &StoredObject) -> Result<()> {
    let Some(found) = suite.sink().lookup(key).await? else {
        return failed(format!("{key} is not found"));
    };
    let same_tag = match (&found.etag, &stored.etag) {
        (Some(found), Some(stored)) => found == stored,
        _ => true,
    };
    check(
        found.bytes == stored.bytes && same_tag,
        format!("{key} is looked up as {found:?}, but was stored as {stored:?}"),
    )
}
