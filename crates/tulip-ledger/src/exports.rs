//! Records of incomplete exports, as rows.

use rusqlite::{OptionalExtension as _, params};
use tulip_archive::StateError;
use tulip_archive::state::{Claim, ClaimOutcome, StoredRecord};

use crate::database::Session;

/// Claims a record for this process.
pub(crate) fn claim(
    session: &mut Session<'_>,
    id: &str,
    new: Option<&str>,
) -> Result<ClaimOutcome, StateError> {
    let found = session.run(|transaction| {
        let sql = "SELECT process, record FROM export WHERE id = ?1";
        let mut statement = transaction.prepare_cached(sql)?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        statement.query_row([id], row).optional()
    })?;
    let found: Option<(Option<String>, String)> = found;
    let record = match (found, new) {
        (Some((process, record)), _) => {
            if let Some(process) = process
                && session.is_alive(&process)?
            {
                return Ok(ClaimOutcome::Busy(session.holder(&process)?));
            }
            Some(record)
        }
        (None, Some(_)) => None,
        (None, None) => return Ok(ClaimOutcome::Missing),
    };
    let attempt = session.next_attempt()?;
    let number = attempt.cast_signed();
    let process = session.process();
    session.run(|transaction| match (&record, new) {
        (Some(_), _) | (None, None) => transaction
            .prepare_cached("UPDATE export SET attempt = ?2, process = ?3 WHERE id = ?1")?
            .execute(params![id, number, process]),
        (None, Some(new)) => transaction
            .prepare_cached(
                "INSERT INTO export (id, attempt, process, record) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![id, number, process, new]),
    })?;
    let claim = Claim::new(id, attempt);
    Ok(match record {
        Some(record) => ClaimOutcome::Found { claim, record },
        None => ClaimOutcome::Created(claim),
    })
}

/// Whether a claim is in force.
pub(crate) fn is_in_force(session: &Session<'_>, claim: &Claim) -> Result<bool, StateError> {
    let sql = "SELECT 1 FROM export WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.exists(params![claim.id(), claim.attempt().cast_signed()])
    })
}

/// Replaces a record. Returns `false` if the claim is not in force.
pub(crate) fn save(session: &Session<'_>, claim: &Claim, record: &str) -> Result<bool, StateError> {
    let sql = "UPDATE export SET record = ?3
        WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    let rows = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.execute(params![claim.id(), claim.attempt().cast_signed(), record])
    })?;
    Ok(rows == 1)
}

/// Removes a record. Returns `false` if the claim is not in force.
pub(crate) fn remove(session: &Session<'_>, claim: &Claim) -> Result<bool, StateError> {
    let sql = "DELETE FROM export WHERE id = ?1 AND attempt = ?2 AND process IS NOT NULL";
    let rows = session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.execute(params![claim.id(), claim.attempt().cast_signed()])
    })?;
    Ok(rows == 1)
}

/// Ends a claim, if it is in force.
pub(crate) fn release(session: &Session<'_>, claim: &Claim) -> Result<(), StateError> {
    let sql = "UPDATE export SET process = NULL WHERE id = ?1 AND attempt = ?2";
    session.run(|transaction| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.execute(params![claim.id(), claim.attempt().cast_signed()])
    })?;
    Ok(())
}

/// Returns all records.
pub(crate) fn list(session: &mut Session<'_>) -> Result<Vec<StoredRecord>, StateError> {
    let rows = session.run(|transaction| {
        let mut statement = transaction.prepare("SELECT id, process, record FROM export")?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = statement.query_map([], row)?;
        rows.collect::<rusqlite::Result<Vec<(String, Option<String>, String)>>>()
    })?;
    let mut records = Vec::with_capacity(rows.len());
    for (id, process, record) in rows {
        let is_claimed = match process {
            Some(process) => session.is_alive(&process)?,
            None => false,
        };
        records.push(StoredRecord::new(id, record).with_claimed(is_claimed));
    }
    Ok(records)
}
