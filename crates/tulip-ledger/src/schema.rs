//! The tables, and the setup of a connection.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tulip_archive::{StateError, StateErrorKind};

use crate::{error, folder};

/// The name of the database in its folder.
pub(crate) const FILE: &str = "tulip.db";

/// The version of the tables. A database with a higher one is left alone.
const VERSION: i64 = 2;

/// Marks the file as one of ours: "Tulp".
const APPLICATION: i64 = 0x5475_6c70;

/// How long a transaction waits for those of other processes.
const BUSY: Duration = Duration::from_secs(30);

/// The migration from each version to the next, from an empty database to [`VERSION`].
const STEPS: [&str; 2] = [EXPORTS, RUNS];

const EXPORTS: &str = "
    -- The last attempt number that was given to a claim.
    CREATE TABLE attempt (last INTEGER NOT NULL) STRICT;
    INSERT INTO attempt (last) VALUES (0);
    -- Who claims. A process lives as long as its file is locked, whatever stands here.
    CREATE TABLE process (
        id TEXT PRIMARY KEY,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Incomplete exports, each claimed by the process that works on it.
    CREATE TABLE export (
        id TEXT PRIMARY KEY,
        attempt INTEGER NOT NULL,
        process TEXT,
        record TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const RUNS: &str = "
    -- Runs, each claimed by the process that works on it.
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        attempt INTEGER NOT NULL,
        process TEXT,
        command TEXT NOT NULL,
        instance TEXT NOT NULL,
        target TEXT NOT NULL,
        shard TEXT,
        started TEXT NOT NULL,
        ended TEXT NOT NULL,
        end TEXT NOT NULL,
        reason TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX run_of_command ON run (command, started);
    -- The exports of a run. What stands beside the record is there to be counted. A table without
    -- row ids would move each record of more than 1 kB to a page of its own.
    CREATE TABLE item (
        run TEXT NOT NULL,
        id TEXT NOT NULL,
        outcome TEXT NOT NULL,
        is_open INTEGER NOT NULL,
        bytes INTEGER,
        records INTEGER,
        record TEXT NOT NULL,
        PRIMARY KEY (run, id)
    ) STRICT;
";

/// Opens the database in `folder`, which is created if it is missing.
pub(crate) fn open(folder: &Path) -> Result<Connection, StateError> {
    let path = folder.join(FILE);
    let created = folder::create_private(&path).and_then(|created| match created {
        Some(_) => folder::sync(folder),
        None => Ok(()),
    });
    created.map_err(|error| error::files(folder, error))?;
    let failed = |error| error::database(folder, error);
    let mut connection = connect(&path).map_err(failed)?;
    check_version(&connection, folder)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        let why = "lies on a file system without shared memory, which the database needs";
        return Err(error::unusable(StateErrorKind::Unsupported, folder, why));
    }
    create_tables(&mut connection).map_err(failed)?;
    // Another process with a later version may have created them in the meantime.
    check_version(&connection, folder)?;
    Ok(connection)
}

/// Refuses a database of a newer version, if the version can be read.
pub(crate) fn check_newer(folder: &Path) -> Result<(), StateError> {
    match connect(&folder.join(FILE)).map(|connection| check_version(&connection, folder)) {
        Ok(Err(error)) if error.kind() == StateErrorKind::NewerVersion => Err(error),
        _ => Ok(()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_version(connection: &Connection, folder: &Path) -> Result<(), StateError> {
    let version = version(connection).map_err(|error| error::database(folder, error))?;
    if version > VERSION {
        let why = format!(
            "was written by a newer version of tulip: it has version {version}, this one reads \
             {VERSION}"
        );
        return Err(error::unusable(StateErrorKind::NewerVersion, folder, &why));
    }
    Ok(())
}

/// Migrates the tables to this version.
fn create_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? >= VERSION {
        return Ok(());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let from = usize::try_from(version(&transaction)?).unwrap_or_default();
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    if from < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
