//! The machines' activity, read from the archives of a run.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tulip_core::Timestamp;
use tulip_core::sink::Sink;
use tulip_fleet::{ItemOutcome, ItemSummary, RunSummary};
use tulip_report::{Activity, ActivityReader};

use crate::failure::chain;

/// How many days back the report looks.
pub(crate) const DAYS: u64 = 7;

/// The largest archive that is read back, in bytes, so that a report does not take hours.
const MAX_BYTES: u64 = 256 << 20;

/// How many archives are read at once.
const AT_ONCE: usize = 4;

/// Each machine's name with its activity, or why that could not be read.
pub(crate) type Activities = Vec<(String, Result<Activity, String>)>;

/// The machines of a run, before their archives are read.
pub(crate) fn unread(run: &RunSummary) -> Activities {
    let why = "archives were not read because the run was interrupted";
    stored(run)
        .map(|item| (item.name().to_owned(), Err(why.to_owned())))
        .collect()
}

/// Reads the activity of the machines of a run. If the future is dropped, entries that were not
/// read by then stay as they are.
pub(crate) async fn read(sink: &Arc<dyn Sink>, run: &RunSummary, into: &mut Activities) {
    let read = stored(run).zip(into.iter_mut()).map(async |(item, read)| {
        read.1 = activity(sink, item).await;
    });
    stream::iter(read)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// The exports whose archives can be read.
fn stored(run: &RunSummary) -> impl Iterator<Item = &ItemSummary> {
    let items = run.items.iter();
    items.filter(|item| item.outcome == ItemOutcome::Stored)
}

async fn activity(sink: &Arc<dyn Sink>, item: &ItemSummary) -> Result<Activity, String> {
    if item.bytes.is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(format!("archives of more than {} MiB", MAX_BYTES >> 20));
    }
    let gone = || "archives that are no longer there".to_owned();
    let mut reader = match sink.read(item.key.as_ref().ok_or_else(gone)?).await {
        Ok(reader) => reader.ok_or_else(gone)?,
        Err(error) => return Err(chain(&error)),
    };
    let until = item.ended;
    let from = until.as_system_time() - Duration::from_secs(DAYS * 86_400);
    let mut activity = ActivityReader::new(Timestamp::from(from), until);
    while let Some(chunk) = reader.next().await.map_err(|error| chain(&error))? {
        activity.update(&chunk).map_err(|error| error.to_string())?;
    }
    activity.finish().map_err(|error| error.to_string())
}
