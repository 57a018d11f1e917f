//! The time that a machine spent in each state, from the records of its archive.

mod columns;
mod error;
mod time;

use std::collections::BTreeMap;
use std::time::Duration;

use csv_core::{ReadRecordResult, Reader};
use tulip_core::Timestamp;

use self::columns::Columns;
pub use self::error::ActivityError;

/// The most states, and the most reasons, that are kept; the time of others counts as `other`.
const MAX_NAMES: usize = 40;

/// How many bytes of a state or a reason are kept.
const NAME_LENGTH: usize = 100;

/// The longest record that can be read, in bytes. A longer one is an error.
const MAX_RECORD: usize = 1 << 20;

/// The name of states and reasons beyond [`MAX_NAMES`].
const OTHER: &str = "other";

/// The time that a machine spent in each state within a window, and why it was down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// The time in each state.
    pub states: BTreeMap<String, Duration>,
    /// The time for each downtime reason.
    pub reasons: BTreeMap<String, Duration>,
    /// The part of the time in each state that has a downtime reason.
    pub with_reason: BTreeMap<String, Duration>,
    /// Records whose times could not be read.
    pub unread: u64,
}

/// Adds up the time in each state from an archive's bytes, in chunks of any size. Memory is bounded
/// by the longest record.
///
/// The columns are found by name: `State`, `Start Time`, `End Time` and, if there is one, `Downtime
/// Reason`. A record without an end is open and counts until the end of the window.
///
/// ```
/// use tulip_report::ActivityReader;
///
/// let mut reader = ActivityReader::new("2026-11-21T00:00:00Z".parse()?, "2026-11-28T00:00:00Z".parse()?);
/// reader.update(b"State,Start Time,End Time\nDown,2026-11-20T23:00:00Z,2026-11-21T02:00:00Z\n")?;
/// let activity = reader.finish()?;
/// assert_eq!(activity.states["Down"].as_secs(), 2 * 3600);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ActivityReader {
    from: Timestamp,
    until: Timestamp,
    csv: Reader,
    columns: Option<Columns>,
    record: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    fields: usize,
    activity: Activity,
}

impl std::fmt::Debug for ActivityReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivityReader")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl ActivityReader {
    /// Creates a reader for the window from `from` until `until`.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            csv: Reader::new(),
            columns: None,
            record: vec![0; 4096],
            filled: 0,
            ends: vec![0; 64],
            fields: 0,
            activity: Activity::default(),
        }
    }

    /// Reads the next bytes.
    ///
    /// # Errors
    /// [`ActivityError`] if the archive's states cannot be read; the reader must not be used any
    /// more.
    pub fn update(&mut self, mut chunk: &[u8]) -> Result<(), ActivityError> {
        // The parser treats empty input as the end.
        while !chunk.is_empty() {
            let read = self.step(chunk)?;
            chunk = chunk.get(read..).unwrap_or_default();
        }
        Ok(())
    }

    /// Returns the activity in the archive.
    ///
    /// # Errors
    /// Same as [`ActivityReader::update`].
    pub fn finish(mut self) -> Result<Activity, ActivityError> {
        while self.step(&[])? > 0 || self.filled > 0 || self.fields > 0 {}
        match self.columns {
            Some(_) => Ok(self.activity),
            None => Err(ActivityError::NoColumn(columns::STATE)),
        }
    }

    /// Runs the parser until it needs more, and returns how many bytes it has read.
    fn step(&mut self, chunk: &[u8]) -> Result<usize, ActivityError> {
        let (result, read, written, ends) = self.csv.read_record(
            chunk,
            &mut self.record[self.filled..],
            &mut self.ends[self.fields..],
        );
        self.filled += written;
        self.fields += ends;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::End => (self.filled, self.fields) = (0, 0),
            ReadRecordResult::OutputFull if self.record.len() >= MAX_RECORD => {
                return Err(ActivityError::RecordTooLong);
            }
            ReadRecordResult::OutputFull => self.record.resize(self.record.len() * 2, 0),
            ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_RECORD => {
                return Err(ActivityError::RecordTooLong);
            }
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            ReadRecordResult::Record => {
                self.take()?;
                (self.filled, self.fields) = (0, 0);
            }
        }
        Ok(read)
    }

    /// Adds the record that has been read.
    fn take(&mut self) -> Result<(), ActivityError> {
        let ends = &self.ends[..self.fields];
        let field = |at: usize| {
            let end = *ends.get(at)?;
            let start = if at == 0 { 0 } else { ends[at - 1] };
            let text = std::str::from_utf8(self.record.get(start..end)?).ok()?;
            Some(text.trim())
        };
        let Some(columns) = &self.columns else {
            let names: Vec<_> = (0..ends.len())
                .map(|at| field(at).unwrap_or_default())
                .collect();
            self.columns = Some(Columns::of(&names)?);
            return Ok(());
        };
        let of_time = |at: usize| field(at).unwrap_or_default();
        let start = time::parse(of_time(columns.start));
        let end = match of_time(columns.end) {
            "" => Some(self.until),
            text => time::parse(text),
        };
        let (Some(start), Some(end)) = (start, end) else {
            self.activity.unread += 1;
            return Ok(());
        };
        let (start, end) = (start.max(self.from), end.min(self.until));
        let within = end.as_system_time().duration_since(start.as_system_time());
        let within = within.unwrap_or_default();
        if within.is_zero() {
            return Ok(());
        }
        let state = field(columns.state).filter(|state| !state.is_empty());
        let state = state.unwrap_or("no state");
        let state = add(&mut self.activity.states, state, within);
        let reason = columns.reason.and_then(field);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            add(&mut self.activity.with_reason, state, within);
            add(&mut self.activity.reasons, reason, within);
        }
        Ok(())
    }
}

impl Activity {
    /// Adds the activity of another machine.
    pub fn add(&mut self, other: &Self) {
        for (state, time) in &other.states {
            add(&mut self.states, state, *time);
        }
        for (reason, time) in &other.reasons {
            add(&mut self.reasons, reason, *time);
        }
        for (state, time) in &other.with_reason {
            add(&mut self.with_reason, state, *time);
        }
        self.unread += other.unread;
    }
}

/// Adds a time and returns the name under which it is kept.
fn add<'a>(times: &mut BTreeMap<String, Duration>, name: &'a str, time: Duration) -> &'a str {
    let end = name.floor_char_boundary(NAME_LENGTH);
    let name = &name[..end];
    let is_known = times.contains_key(name) || times.len() < MAX_NAMES;
    let name = if is_known { name } else { OTHER };
    *times.entry(name.to_owned()).or_default() += time;
    name
}

#[cfg(test)]
mod tests;
