//! The cases, and what they share.

pub(super) mod atomicity;
pub(super) mod capabilities;
pub(super) mod content;
pub(super) mod failure;
pub(super) mod keys;
pub(super) mod recovery;

use bytes::Bytes;

use super::content::difference;
use super::suite::Suite;
use crate::ObjectKey;
use crate::conformance::{CaseResult, Failure};
use crate::sink::{OpenOptions, SinkError, SinkWriter, StoredObject, WriteMode};

type Result<T = CaseResult> = std::result::Result<T, Failure>;

/// Returns a failure with this message.
fn failed<T>(what: impl Into<String>) -> Result<T> {
    Err(what.into().into())
}

/// Skips a promise that the sink does not make.
fn skipped(why: &str) -> Result {
    Ok(CaseResult::Skipped(why.to_owned()))
}

fn check(holds: bool, otherwise: impl Into<String>) -> Result<()> {
    match holds {
        true => Ok(()),
        false => failed(otherwise),
    }
}

async fn open(suite: &Suite<'_>, key: &ObjectKey, mode: WriteMode) -> Opened {
    let options = OpenOptions::default()
        .with_mode(mode)
        .with_content_type("text/csv")
        .with_metadata([("tulip-job".to_owned(), "j".to_owned())].into());
    suite.sink().open(key, &options).await
}

type Opened = std::result::Result<Box<dyn SinkWriter>, SinkError>;

async fn write(writer: &mut dyn SinkWriter, content: &Bytes) -> std::result::Result<(), SinkError> {
    let mut rest = content.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(300_007))).await?;
    }
    Ok(())
}

async fn put(
    suite: &Suite<'_>,
    key: &ObjectKey,
    mode: WriteMode,
    content: &Bytes,
) -> std::result::Result<StoredObject, SinkError> {
    let mut writer = open(suite, key, mode).await?;
    write(writer.as_mut(), content).await?;
    writer.annotate(&[("tulip-checksum".to_owned(), "crc64nvme:0".to_owned())].into());
    writer.close().await
}

async fn store(suite: &Suite<'_>, key: &ObjectKey, content: &Bytes) -> Result<()> {
    let stored = put(suite, key, WriteMode::Overwrite, content).await?;
    let (said, sent) = (stored.bytes, content.len());
    check(
        said == sent as u64,
        format!("close says that {said} bytes are stored; {sent} were written"),
    )
}

/// Checks that `key` holds `content`, or nothing if that is `None`.
async fn holds(
    suite: &Suite<'_>,
    key: &ObjectKey,
    content: Option<&Bytes>,
    when: &str,
) -> Result<()> {
    match (content, suite.read(key).await?) {
        (None, None) => Ok(()),
        (None, Some(found)) => failed(format!("{key} has {} bytes {when}", found.len())),
        (Some(_), None) => failed(format!("{key} is not there {when}")),
        (Some(content), Some(found)) => match difference(content, &found) {
            None => Ok(()),
            Some(how) => failed(format!("{key} is not what was written {when}: {how}")),
        },
    }
}

async fn no_leftovers(suite: &Suite<'_>, when: &str) -> Result<()> {
    let left = suite.leftovers().await?;
    check(left.is_empty(), format!("{} stays {when}", left.join(", ")))
}
