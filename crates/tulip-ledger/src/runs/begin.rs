//! Claims a new run, or one that is continued.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Row, params};
use tulip_archive::StateError;
use tulip_archive::state::Claim;
use tulip_core::Timestamp;
use tulip_fleet::ledger::{BeginOutcome, Continue, NewRun};
use tulip_fleet::{ItemSummary, RunEnd};

use super::read::{damaged, find, find_row, time};
use super::record::put;
use crate::database::Session;

/// Claims the run that `new` continues, or else stores `new` and claims it.
pub(crate) fn begin(session: &mut Session<'_>, new: &NewRun) -> Result<BeginOutcome, StateError> {
    let continued = continued(session, new)?;
    if continued.is_none() && matches!(new.continues, Continue::Run(_)) {
        return Ok(BeginOutcome::Missing);
    }
    let planned: BTreeMap<String, &ItemSummary> =
        new.run.items.iter().map(|item| (item.id(), item)).collect();
    if let Some(busy) = busy(session, new, continued.as_deref(), &planned)? {
        return Ok(busy);
    }
    let attempt = session.next_attempt()?;
    let (id, mut run) = match &continued {
        Some(id) => {
            let left = find(session, id)?.ok_or_else(|| damaged(session, "a run is gone"))?;
            take(session, id, attempt)?;
            for item in &left.items {
                let id_of_item = item.id();
                if !item.outcome.is_success() && !planned.contains_key(&id_of_item) {
                    drop_item(session, id, &id_of_item)?;
                }
            }
            (id.as_str(), left)
        }
        None => (insert(session, new, attempt)?, new.run.clone()),
    };
    (run.end, run.reason) = (RunEnd::Open, None);
    if continued.is_none() {
        run.items.clear();
    }
    let left: BTreeSet<String> = run.items.iter().map(ItemSummary::id).collect();
    for (item_id, item) in &planned {
        // A stored export that is not among these could not be parsed, and is replaced.
        if !left.contains(item_id) {
            put(session, id, item_id, item)?;
        }
    }
    Ok(BeginOutcome::Claimed {
        claim: Claim::new(id, attempt),
        run: Box::new(run),
    })
}

/// Returns the id of the run that `new` continues.
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

/// Returns the claimed run that is in the way: the one to continue, or one to the same target that
/// shares an export.
fn busy(
    session: &mut Session<'_>,
    new: &NewRun,
    continued: Option<&str>,
    planned: &BTreeMap<String, &ItemSummary>,
) -> Result<Option<BeginOutcome>, StateError> {
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
        return Ok(Some(BeginOutcome::Busy {
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
    planned: &BTreeMap<String, &ItemSummary>,
) -> Result<bool, StateError> {
    session.run(|transaction| {
        let sql = "SELECT 1 FROM item WHERE run = ?1 AND id = ?2";
        let mut statement = transaction.prepare_cached(sql)?;
        for id in planned.keys() {
            if statement.exists(params![run, id])? {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Claims an existing run.
fn take(session: &Session<'_>, id: &str, attempt: u64) -> Result<(), StateError> {
    let sql = "UPDATE run SET attempt = ?2, process = ?3, end = ?4, reason = NULL WHERE id = ?1";
    let (attempt, open) = (attempt.cast_signed(), RunEnd::Open.as_str());
    session.run(|transaction| {
        let values = params![id, attempt, session.process(), open];
        transaction.prepare_cached(sql)?.execute(values)
    })?;
    Ok(())
}

fn drop_item(session: &Session<'_>, run: &str, id: &str) -> Result<(), StateError> {
    session.run(|transaction| {
        let mut statement =
            transaction.prepare_cached("DELETE FROM item WHERE run = ?1 AND id = ?2")?;
        statement.execute(params![run, id])
    })?;
    Ok(())
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
