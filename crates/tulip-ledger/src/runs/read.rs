//! Reads recorded runs.

use rusqlite::{OptionalExtension as _, Row};
use tracing::warn;
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::Timestamp;
use tulip_fleet::ledger::RunOverview;
use tulip_fleet::{Counts, ItemOutcome, RunEnd, RunSummary};

use crate::database::Session;
use crate::error;

/// Returns a run with all its exports. An export whose record cannot be parsed is logged and left
/// out, so that it does not hide the others.
pub(crate) fn find(session: &Session<'_>, id: &str) -> Result<Option<RunSummary>, StateError> {
    let Some(mut run) = find_row(session, id)? else {
        return Ok(None);
    };
    let sql = "SELECT id, record FROM item WHERE run = ?1";
    let rows = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
    })?;
    for (item, record) in rows {
        match serde_json::from_str(&record) {
            Ok(found) => run.items.push(found),
            Err(error) => warn!(run = id, item, %error, "run {id}: left out {item}: {error}"),
        }
    }
    Ok(Some(run))
}

/// The columns of a run, in the order in which [`read`] reads them.
const RUN: &str = "id, instance, target, shard, started, ended, end, reason, command";

pub(super) fn find_row(session: &Session<'_>, id: &str) -> Result<Option<RunSummary>, StateError> {
    let sql = format!("SELECT {RUN} FROM run WHERE id = ?1");
    let row = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(&sql)?;
        statement.query_row([id], read).optional()
    })?;
    row.map(|row| row.into_run(session)).transpose()
}

/// A row of the table of runs.
struct RunRow {
    id: String,
    instance: String,
    target: String,
    shard: Option<String>,
    started: String,
    ended: String,
    end: String,
    reason: Option<String>,
    command: String,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        instance: row.get(1)?,
        target: row.get(2)?,
        shard: row.get(3)?,
        started: row.get(4)?,
        ended: row.get(5)?,
        end: row.get(6)?,
        reason: row.get(7)?,
        command: row.get(8)?,
    })
}

impl RunRow {
    fn into_run(self, session: &Session<'_>) -> Result<RunSummary, StateError> {
        let mut run = RunSummary::starting(self.instance, self.target);
        run.started = time(session, &self.started)?;
        run.ended = time(session, &self.ended)?;
        let unknown = || damaged(session, "a run has ended in an unknown way");
        run.end = RunEnd::from_name(&self.end).ok_or_else(unknown)?;
        (run.id, run.shard, run.reason) = (self.id, self.shard, self.reason);
        run.command = self.command;
        Ok(run)
    }
}

/// Returns all runs, latest first. A run that cannot be parsed is logged and left out.
pub(crate) fn list(session: &mut Session<'_>) -> Result<Vec<RunOverview>, StateError> {
    let sql = format!("SELECT {RUN}, process FROM run ORDER BY started DESC, attempt DESC");
    let rows: Vec<(RunRow, Option<String>)> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok((read(row)?, row.get(9)?)))?;
        rows.collect()
    })?;
    let mut runs = Vec::with_capacity(rows.len());
    for (row, process) in rows {
        let id = row.id.clone();
        let run = match row.into_run(session) {
            Ok(run) => run,
            Err(error) => {
                warn!(run = id, %error, "left out run {id}: {error}");
                continue;
            }
        };
        let (counts, open) = counts(session, &run.id)?;
        let mut overview = RunOverview::new(run, counts, open);
        if let Some(process) = process
            && session.is_alive(&process)?
        {
            overview = overview.claimed_by(session.holder(&process)?);
        }
        runs.push(overview);
    }
    Ok(runs)
}

/// Counts the exports of a run by outcome, and those that are open.
fn counts(session: &Session<'_>, run: &str) -> Result<(Counts, usize), StateError> {
    let sql = "SELECT outcome, is_open, count(*), total(bytes), total(records)
        FROM item WHERE run = ?1 GROUP BY outcome, is_open";
    type Group = (String, bool, u32, f64, f64);
    let groups: Vec<Group> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let row = |row: &Row<'_>| {
            let (exports, bytes, records) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((row.get(0)?, row.get(1)?, exports, bytes, records))
        };
        statement.query_map([run], row)?.collect()
    })?;
    let (mut counts, mut open) = (Counts::default(), 0);
    for (outcome, is_open, exports, bytes, records) in groups {
        let Some(outcome) = ItemOutcome::from_name(&outcome) else {
            warn!(
                run,
                outcome, "run {run}: left out {exports} with outcome {outcome}"
            );
            continue;
        };
        let exports = exports as usize;
        counts.add(outcome, exports);
        counts.bytes += bytes as u64;
        counts.records += records as u64;
        open += if is_open { exports } else { 0 };
    }
    Ok((counts, open))
}

pub(super) fn time(session: &Session<'_>, text: &str) -> Result<Timestamp, StateError> {
    text.parse()
        .map_err(|_| damaged(session, "a run has no time that can be read"))
}

pub(super) fn damaged(session: &Session<'_>, why: &str) -> StateError {
    let why = format!("is damaged: {why}");
    error::unusable(StateErrorKind::Damaged, session.folder(), &why)
}
