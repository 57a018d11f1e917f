//! Repairs a damaged database: moves it aside, and copies what can still be read into a new one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use tulip_archive::{StateError, StateErrorKind};
use tulip_core::Timestamp;
use tulip_fleet::RunEnd;

use crate::{error, process, schema};

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// The new path of the old database.
    pub moved_to: PathBuf,
    /// How many incomplete exports were copied into the new one.
    pub exports: usize,
    /// How many runs were copied.
    pub runs: usize,
    /// The damage to the old one, as reported by SQLite. Empty if none was found.
    pub damage: Vec<String>,
    /// Whether parts of the old one could not be read.
    pub is_incomplete: bool,
}

/// A table that is copied. Its claims are not, because no process is alive.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    /// How many leading columns form the key.
    key: usize,
    /// Whether its key is an index beside the rows, which can be damaged while they are not.
    has_index: bool,
}

const EXPORT: Table = Table {
    name: "export",
    columns: &["id", "attempt", "record"],
    key: 1,
    has_index: false,
};

const RUN: Table = Table {
    name: "run",
    columns: &[
        "id", "attempt", "command", "instance", "target", "shard", "started", "ended", "end",
        "reason",
    ],
    key: 1,
    has_index: false,
};

const ITEM: Table = Table {
    name: "item",
    columns: &[
        "run", "id", "outcome", "is_open", "bytes", "records", "record",
    ],
    key: 2,
    has_index: true,
};

/// The rows of a table by key.
type Rows = BTreeMap<Vec<String>, Vec<Value>>;

pub(crate) fn repair(folder: &Path) -> Result<Repaired, StateError> {
    let failed = |error| error::files(folder, error);
    for id in process::ids(folder).map_err(failed)? {
        if process::is_alive(folder, &id)? {
            let why = "is in use by another process; wait until it has ended";
            return Err(error::unusable(StateErrorKind::Unavailable, folder, why));
        }
    }
    schema::check_newer(folder)?;
    let moved_to = move_aside(folder).map_err(failed)?;
    let old = Salvage::read(&moved_to);
    let mut connection = schema::open(folder)?;
    let failed = |error| error::database(folder, error);
    let transaction = connection.transaction().map_err(failed)?;
    for (table, rows) in [
        (&EXPORT, &old.exports),
        (&RUN, &old.runs),
        (&ITEM, &old.items),
    ] {
        table.insert(&transaction, rows).map_err(failed)?;
    }
    // No claim has a higher number, even if the last one could not be read.
    transaction
        .execute("UPDATE attempt SET last = ?1", [old.last_attempt()])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Repaired {
        moved_to,
        exports: old.exports.len(),
        runs: old.runs.len(),
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
    // The log goes first: left behind, it would be taken for the log of a new database.
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

/// The rows that could be read, and the damage.
#[derive(Debug, Default)]
struct Salvage {
    exports: Rows,
    runs: Rows,
    items: Rows,
    last_attempt: Option<i64>,
    damage: Vec<String>,
    is_incomplete: bool,
    has_lost_items: bool,
}

impl Salvage {
    fn read(path: &Path) -> Self {
        let mut salvage = Self::default();
        // Writable, so that the log is read too.
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
        self.exports = self.read_table(connection, &EXPORT);
        self.runs = self.read_table(connection, &RUN);
        self.items = self.read_table(connection, &ITEM);
        if self.has_lost_items {
            self.reopen_runs();
        }
        let last = connection.query_row("SELECT last FROM attempt", [], |row| row.get(0));
        match last {
            Ok(last) => self.last_attempt = Some(last),
            Err(error) => self.lost(&error),
        }
    }

    /// Reads the rows of a table in every way until one gets through, because a damaged page stops a
    /// scan.
    fn read_table(&mut self, connection: &Connection, table: &Table) -> Rows {
        let mut rows = Rows::new();
        // A database of an older version has fewer tables.
        let exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
        let found = connection
            .prepare(exists)
            .and_then(|mut statement| statement.exists([table.name]));
        if found == Ok(false) {
            return rows;
        }
        for scan in table.scans() {
            match table.read(connection, &scan, &mut rows) {
                Ok(()) => return rows,
                Err(error) => self.lost(&error),
            }
        }
        if table.name == ITEM.name {
            self.has_lost_items = true;
        }
        rows
    }

    /// Ends complete runs early if exports were lost. Nothing tells which run has lost some, and
    /// one that is complete is never continued.
    fn reopen_runs(&mut self) {
        let at = |name| RUN.columns.iter().position(|column| *column == name);
        let (Some(end), Some(reason)) = (at("end"), at("reason")) else {
            return;
        };
        for row in self.runs.values_mut() {
            if row[end] == Value::Text(RunEnd::Complete.as_str().to_owned()) {
                row[end] = Value::Text(RunEnd::Stopped.as_str().to_owned());
                let why = "some of its exports may have been lost in a repair of the database";
                row[reason] = Value::Text(why.to_owned());
            }
        }
    }

    fn lost(&mut self, error: &rusqlite::Error) {
        self.is_incomplete = true;
        let error = error.to_string();
        if !self.damage.contains(&error) {
            self.damage.push(error);
        }
    }

    /// Returns a number that no claim's attempt exceeds.
    fn last_attempt(&self) -> i64 {
        // The attempt is the second column of both tables.
        let rows = self.exports.values().chain(self.runs.values());
        let highest = rows.filter_map(|row| match row.get(1) {
            Some(Value::Integer(attempt)) => Some(*attempt),
            _ => None,
        });
        let highest = highest.max();
        let known = self.last_attempt.max(highest).unwrap_or_default();
        match self.last_attempt {
            Some(_) => known,
            None => known.saturating_add(1 << 32),
        }
    }
}

impl Table {
    /// Returns the ways to read the rows: by key and, if that is an index, past it, each from both
    /// ends.
    fn scans(&self) -> Vec<String> {
        let by_key = |order| {
            let key = self.columns[..self.key].iter();
            let key: Vec<_> = key.map(|column| format!("{column} {order}")).collect();
            format!("ORDER BY {}", key.join(", "))
        };
        let past_index = |order| format!("NOT INDEXED ORDER BY rowid {order}");
        let mut scans = Vec::new();
        if self.has_index {
            scans.extend(["ASC", "DESC"].map(past_index));
        }
        scans.extend(["ASC", "DESC"].map(by_key));
        scans
    }

    fn read(&self, connection: &Connection, scan: &str, rows: &mut Rows) -> rusqlite::Result<()> {
        let (columns, name) = (self.columns.join(", "), self.name);
        let sql = format!("SELECT {columns} FROM {name} {scan}");
        let mut statement = connection.prepare(&sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let key = (0..self.key).map(|at| row.get(at));
            let values = (0..self.columns.len()).map(|at| row.get(at));
            rows.insert(
                key.collect::<rusqlite::Result<_>>()?,
                values.collect::<rusqlite::Result<_>>()?,
            );
        }
        Ok(())
    }

    fn insert(&self, connection: &Connection, rows: &Rows) -> rusqlite::Result<()> {
        let (columns, name) = (self.columns.join(", "), self.name);
        let places = vec!["?"; self.columns.len()].join(", ");
        let sql = format!("INSERT OR IGNORE INTO {name} ({columns}) VALUES ({places})");
        let mut statement = connection.prepare(&sql)?;
        for row in rows.values() {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    }
}

/// Returns the damage that SQLite finds.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    found.retain(|line| line != "ok");
    Ok(found)
}
