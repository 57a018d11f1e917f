//! A damaged database, moved aside, and what of it can still be read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::Timestamp;

use crate::{error, process, schema};

/// What a repair has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// Where the old database lies now.
    pub moved_to: PathBuf,
    /// How many incomplete exports were brought into the new one.
    pub exports: usize,
    /// What is wrong with the old one, as SQLite says. Empty where nothing was found.
    pub damage: Vec<String>,
    /// Whether some of the old one could not be read.
    pub is_incomplete: bool,
}

/// A row of the table of incomplete exports.
type Export = (String, i64, String);

pub(crate) fn repair(folder: &Path) -> Result<Repaired, StateError> {
    let failed = |error| error::files(folder, error);
    for id in process::ids(folder).map_err(failed)? {
        if process::is_alive(folder, &id)? {
            let why = "is used by a process that runs; wait until it has ended";
            return Err(error::unusable(StateErrorKind::Unavailable, folder, why));
        }
    }
    schema::check_newer(folder)?;
    let moved_to = move_aside(folder).map_err(failed)?;
    let old = Salvage::read(&moved_to);
    let mut connection = schema::open(folder)?;
    let failed = |error| error::database(folder, error);
    let transaction = connection.transaction().map_err(failed)?;
    for (id, attempt, record) in old.exports.values() {
        transaction
            .execute(
                "INSERT OR IGNORE INTO export (id, attempt, process, record)
                    VALUES (?1, ?2, NULL, ?3)",
                params![id, attempt, record],
            )
            .map_err(failed)?;
    }
    // Above every number that was ever given, also where the last one could not be read.
    transaction
        .execute("UPDATE attempt SET last = ?1", [old.last_attempt()])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Repaired {
        moved_to,
        exports: old.exports.len(),
        damage: old.damage,
        is_incomplete: old.is_incomplete,
    })
}

/// Renames the database and the files beside it.
fn move_aside(folder: &Path) -> io::Result<PathBuf> {
    let when: String = Timestamp::now()
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let aside = folder.join(format!("{}.damaged-{when}", schema::FILE));
    // The log first: without the database nobody takes it for another's.
    for suffix in ["-wal", "-shm", ""] {
        let from = folder.join(format!("{}{suffix}", schema::FILE));
        let to = folder.join(format!("{}.damaged-{when}{suffix}", schema::FILE));
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
            moved => moved?,
        }
    }
    Ok(aside)
}

/// What could be read.
#[derive(Debug, Default)]
struct Salvage {
    /// By their ids.
    exports: BTreeMap<String, Export>,
    last_attempt: Option<i64>,
    damage: Vec<String>,
    is_incomplete: bool,
}

impl Salvage {
    fn read(path: &Path) -> Self {
        let mut salvage = Self::default();
        // Writable, so that what is still in the log is read, too.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(path, flags) {
            Ok(connection) => salvage.read_from(&connection),
            Err(error) => salvage.lost(&error),
        }
        salvage
    }

    fn read_from(&mut self, connection: &Connection) {
        match check(connection) {
            Ok(damage) => self.damage = damage,
            Err(error) => self.lost(&error),
        }
        // From both ends: a damaged page stops each of them.
        for order in ["ASC", "DESC"] {
            let sql = format!("SELECT id, attempt, record FROM export ORDER BY id {order}");
            if let Err(error) = self.read_exports(connection, &sql) {
                self.lost(&error);
            } else {
                break;
            }
        }
        let last = connection.query_row("SELECT last FROM attempt", [], |row| row.get(0));
        match last {
            Ok(last) => self.last_attempt = Some(last),
            Err(error) => self.lost(&error),
        }
    }

    fn read_exports(&mut self, connection: &Connection, sql: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let export: Export = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.exports.insert(export.0.clone(), export);
        }
        Ok(())
    }

    fn lost(&mut self, error: &rusqlite::Error) {
        self.is_incomplete = true;
        let error = error.to_string();
        if !self.damage.contains(&error) {
            self.damage.push(error);
        }
    }

    /// A number that no claim has had.
    fn last_attempt(&self) -> i64 {
        let highest = self.exports.values().map(|(_, attempt, _)| *attempt).max();
        let known = self.last_attempt.max(highest).unwrap_or_default();
        match self.last_attempt {
            Some(_) => known,
            None => known.saturating_add(1 << 32),
        }
    }
}

/// What SQLite finds wrong.
fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    found.retain(|line| line != "ok");
    Ok(found)
}
