//! Runs and their exports, as rows.

use rusqlite::{OptionalExtension as _, Row, params};
use tulip_archive::state::Claim;
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::Timestamp;
use tulip_fleet::ledger::{Begun, Continue, NewRun, RunOverview};
use tulip_fleet::{Counts, ItemSummary, Outcome, RunEnd, RunSummary};

use crate::database::Session;
use crate::error;

/// Claims the run that a new one continues, or stores it.
pub(crate) fn begin(session: &mut Session<'_>, new: &NewRun) -> Result<Begun, StateError> {
    let continued = continued(session, new)?;
    if continued.is_none() && matches!(new.continues, Continue::Run(_)) {
        return Ok(Begun::Missing);
    }
    let planned: Vec<(String, &ItemSummary)> =
        new.run.items.iter().map(|item| (item.id(), item)).collect();
    if let Some(busy) = busy(session, new, continued.as_deref(), &planned)? {
        return Ok(busy);
    }
    let attempt = session.next_attempt()?;
    let (id, mut run) = match &continued {
        Some(id) => {
            let left = find(session, id)?.ok_or_else(|| damaged(session, "a run is gone"))?;
            (take(session, id, attempt)?, left)
        }
        None => (insert(session, new, attempt)?, new.run.clone()),
    };
    (run.end, run.reason) = (RunEnd::Open, None);
    if continued.is_none() {
        run.items.clear();
    }
    for (item_id, item) in &planned {
        put(session, "INSERT OR IGNORE", id, item_id, item)?;
    }
    Ok(Begun::Claimed {
        claim: Claim::new(id, attempt),
        run: Box::new(run),
    })
}

/// The id of the run that a new one continues.
fn continued(session: &Session<'_>, new: &NewRun) -> Result<Option<String>, StateError> {
    let since = match &new.continues {
        Continue::Latest(since) => *since,
        Continue::Run(id) => return Ok(find_row(session, id)?.map(|run| run.id)),
        _ => return Ok(None),
    };
    let sql = "SELECT id, end, started FROM run
        WHERE command = ?1 AND instance = ?2 AND target = ?3
        ORDER BY started DESC, attempt DESC LIMIT 1";
    let latest: Option<(String, String, String)> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let of = params![new.command, new.run.instance, new.run.target];
        statement
            .query_row(of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
    })?;
    let is_open = |(_, end, started): &(String, String, String)| {
        let started: Option<Timestamp> = started.parse().ok();
        end != RunEnd::Complete.as_str() && started.is_some_and(|started| started >= since)
    };
    Ok(latest.filter(is_open).map(|(id, ..)| id))
}

/// Another run to the same target that is claimed and shares an export.
fn busy(
    session: &mut Session<'_>,
    new: &NewRun,
    continued: Option<&str>,
    planned: &[(String, &ItemSummary)],
) -> Result<Option<Begun>, StateError> {
    let sql = "SELECT id, process, started FROM run
        WHERE process IS NOT NULL AND (target = ?1 OR id = ?2)";
    let claimed: Vec<(String, String, String)> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        statement
            .query_map(params![new.run.target, continued], row)?
            .collect()
    })?;
    for (id, process, started) in claimed {
        if !session.is_alive(&process)? {
            continue;
        }
        if Some(&*id) != continued && !shares_one(session, &id, planned)? {
            continue;
        }
        return Ok(Some(Begun::Busy {
            started: time(session, &started)?,
            holder: session.holder(&process)?,
            run: id,
        }));
    }
    Ok(None)
}

fn shares_one(
    session: &Session<'_>,
    run: &str,
    planned: &[(String, &ItemSummary)],
) -> Result<bool, StateError> {
    session.run(|transaction| {
        let sql = "SELECT 1 FROM item WHERE run = ?1 AND id = ?2";
        let mut statement = transaction.prepare_cached(sql)?;
        for (id, _) in planned {
            if statement.exists(params![run, id])? {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Takes up a run, with what it has finished.
fn take<'a>(session: &Session<'_>, id: &'a str, attempt: u64) -> Result<&'a str, StateError> {
    session.run(|transaction| {
        let sql =
            "UPDATE run SET attempt = ?2, process = ?3, end = ?4, reason = NULL WHERE id = ?1";
        let values = params![
            id,
            attempt.cast_signed(),
            session.process(),
            RunEnd::Open.as_str()
        ];
        transaction.prepare_cached(sql)?.execute(values)?;
        let sql = "DELETE FROM item WHERE run = ?1 AND outcome NOT IN (?2, ?3)";
        let (stored, unchanged) = (Outcome::Stored.as_str(), Outcome::Unchanged.as_str());
        transaction
            .prepare_cached(sql)?
            .execute(params![id, stored, unchanged])?;
        Ok(id)
    })
}

fn insert<'a>(session: &Session<'_>, new: &'a NewRun, attempt: u64) -> Result<&'a str, StateError> {
    let run = &new.run;
    let sql = "INSERT INTO run
        (id, attempt, process, command, instance, target, shard, started, ended, end, reason)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)";
    session.run(|transaction| {
        transaction.prepare_cached(sql)?.execute(params![
            run.id,
            attempt.cast_signed(),
            session.process(),
            new.command,
            run.instance,
            run.target,
            run.shard,
            run.started.to_string(),
            run.started.to_string(),
            RunEnd::Open.as_str(),
        ])
    })?;
    Ok(&run.id)
}

/// Stores an export under its id.
fn put(
    session: &Session<'_>,
    how: &str,
    run: &str,
    id: &str,
    item: &ItemSummary,
) -> Result<(), StateError> {
    let record = serde_json::to_string(item)
        .map_err(|error| StateError::with_source(StateErrorKind::Other, "cannot record", error))?;
    let sql = format!(
        "{how} INTO item (run, id, outcome, is_open, bytes, records, record)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    session.run(|transaction| {
        transaction.prepare_cached(&sql)?.execute(params![
            run,
            id,
            item.outcome.as_str(),
            item.is_open,
            item.bytes.map(u64::cast_signed),
            item.records.map(u64::cast_signed),
            record,
        ])
    })?;
    Ok(())
}

/// Records what has become of an export; `false` where the claim is not in force.
pub(crate) fn record(
    session: &Session<'_>,
    claim: &Claim,
    item: &ItemSummary,
) -> Result<bool, StateError> {
    let sql = "UPDATE run SET ended = ?3
        WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    let rows = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let now = Timestamp::now().to_string();
        statement.execute(params![claim.id(), claim.attempt().cast_signed(), now])
    })?;
    if rows == 0 {
        return Ok(false);
    }
    put(session, "INSERT OR REPLACE", claim.id(), &item.id(), item)?;
    Ok(true)
}

/// Records how a run has ended; `false` where the claim is not in force.
pub(crate) fn end(
    session: &Session<'_>,
    claim: &Claim,
    end: RunEnd,
    reason: Option<&str>,
) -> Result<bool, StateError> {
    let sql = "UPDATE run SET process = NULL, ended = ?3, end = ?4, reason = ?5
        WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    let rows = session.run(|transaction| {
        transaction.prepare_cached(sql)?.execute(params![
            claim.id(),
            claim.attempt().cast_signed(),
            Timestamp::now().to_string(),
            end.as_str(),
            reason,
        ])
    })?;
    Ok(rows == 1)
}

/// Ends a claim, if it is in force.
pub(crate) fn release(session: &Session<'_>, claim: &Claim) -> Result<(), StateError> {
    let sql = "UPDATE run SET process = NULL WHERE id = ?1 AND attempt = ?2";
    session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.execute(params![claim.id(), claim.attempt().cast_signed()])
    })?;
    Ok(())
}

/// A run with all its exports.
pub(crate) fn find(session: &Session<'_>, id: &str) -> Result<Option<RunSummary>, StateError> {
    let Some(mut run) = find_row(session, id)? else {
        return Ok(None);
    };
    let records = session.run(|transaction| {
        let mut statement = transaction.prepare_cached("SELECT record FROM item WHERE run = ?1")?;
        let records = statement.query_map([id], |row| row.get(0))?;
        records.collect::<rusqlite::Result<Vec<String>>>()
    })?;
    let items = records.iter().map(|record| serde_json::from_str(record));
    run.items = items
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(session, &error.to_string()))?;
    Ok(Some(run))
}

/// The columns of a run, in the order in which [`read`] takes them.
const RUN: &str = "id, instance, target, shard, started, ended, end, reason";

fn find_row(session: &Session<'_>, id: &str) -> Result<Option<RunSummary>, StateError> {
    let sql = format!("SELECT {RUN} FROM run WHERE id = ?1");
    let row = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(&sql)?;
        statement.query_row([id], read).optional()
    })?;
    row.map(|row| row.into_run(session)).transpose()
}

/// A row of the runs.
struct RunRow {
    id: String,
    instance: String,
    target: String,
    shard: Option<String>,
    started: String,
    ended: String,
    end: String,
    reason: Option<String>,
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
        Ok(run)
    }
}

/// All runs, the latest first.
pub(crate) fn list(session: &mut Session<'_>) -> Result<Vec<RunOverview>, StateError> {
    let sql = format!("SELECT {RUN}, process FROM run ORDER BY started DESC, attempt DESC");
    let rows: Vec<(RunRow, Option<String>)> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok((read(row)?, row.get(8)?)))?;
        rows.collect()
    })?;
    let mut runs = Vec::with_capacity(rows.len());
    for (row, process) in rows {
        let run = row.into_run(session)?;
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

/// How many exports of a run have ended in each way, and how many are open.
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
        let unknown = || damaged(session, "an export has ended in an unknown way");
        let outcome = Outcome::from_name(&outcome).ok_or_else(unknown)?;
        let exports = exports as usize;
        counts.add(outcome, exports);
        counts.bytes += bytes as u64;
        counts.records += records as u64;
        open += if is_open { exports } else { 0 };
    }
    Ok((counts, open))
}

/// Removes a run; `false` where there is none, or a process works on it.
pub(crate) fn remove(session: &mut Session<'_>, id: &str) -> Result<bool, StateError> {
    let process: Option<Option<String>> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached("SELECT process FROM run WHERE id = ?1")?;
        statement.query_row([id], |row| row.get(0)).optional()
    })?;
    match process {
        None => return Ok(false),
        Some(Some(process)) if session.is_alive(&process)? => return Ok(false),
        Some(_) => {}
    }
    session.run(|transaction| {
        transaction.execute("DELETE FROM item WHERE run = ?1", [id])?;
        transaction.execute("DELETE FROM run WHERE id = ?1", [id])
    })?;
    Ok(true)
}

fn time(session: &Session<'_>, text: &str) -> Result<Timestamp, StateError> {
    text.parse()
        .map_err(|_| damaged(session, "a run has no time that can be read"))
}

fn damaged(session: &Session<'_>, why: &str) -> StateError {
    let why = format!("is damaged: {why}");
    error::unusable(StateErrorKind::Damaged, session.folder(), &why)
}
