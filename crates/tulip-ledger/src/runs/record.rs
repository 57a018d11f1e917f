//! Records the state of a run and its exports.

use rusqlite::{OptionalExtension as _, params};
use tulip_archive::state::Claim;
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::Timestamp;
use tulip_fleet::{ItemSummary, RunEnd};

use crate::database::Session;

/// The length of a timestamp's text up to the second.
const SECONDS: usize = "2026-11-28T01:00:00".len();

/// Stores an export under its id, replacing what was stored before.
pub(super) fn put(
    session: &Session<'_>,
    run: &str,
    id: &str,
    item: &ItemSummary,
) -> Result<(), StateError> {
    let record = serde_json::to_string(item)
        .map_err(|error| StateError::with_source(StateErrorKind::Other, "cannot record", error))?;
    let sql = "INSERT OR REPLACE INTO item (run, id, outcome, is_open, bytes, records, record)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    session.run(|transaction| {
        transaction.prepare_cached(sql)?.execute(params![
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

/// Whether a claim is in force.
pub(crate) fn is_in_force(session: &Session<'_>, claim: &Claim) -> Result<bool, StateError> {
    let sql = "SELECT 1 FROM run WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.exists(params![claim.id(), claim.attempt().cast_signed()])
    })
}

/// Records the state of an export. Returns `false` if the claim is not in force.
pub(crate) fn record(
    session: &Session<'_>,
    claim: &Claim,
    item: &ItemSummary,
) -> Result<bool, StateError> {
    let sql = "SELECT ended FROM run WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    let heard: Option<String> = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        let of = params![claim.id(), claim.attempt().cast_signed()];
        statement.query_row(of, |row| row.get(0)).optional()
    })?;
    let Some(heard) = heard else {
        return Ok(false);
    };
    // Compared to the second, which is exact enough for an open run, and saves most records a
    // write.
    let now = Timestamp::now().to_string();
    if heard.get(..SECONDS) != now.get(..SECONDS) {
        session.run(|transaction| {
            let mut statement =
                transaction.prepare_cached("UPDATE run SET ended = ?2 WHERE id = ?1")?;
            statement.execute(params![claim.id(), now])
        })?;
    }
    put(session, claim.id(), &item.id(), item)?;
    Ok(true)
}

/// Records how a run ended. Returns `false` if the claim is not in force.
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

/// Removes a run. Returns `false` if there is none, or a process is working on it.
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
