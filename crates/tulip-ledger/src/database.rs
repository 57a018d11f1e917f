//! The database, as the writer thread uses it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tulip_archive::StateError;
use tulip_archive::state::Holder;
use tulip_core::Timestamp;

use crate::process::{self, Process};
use crate::{error, schema};

/// A connection, and the process that it belongs to.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    process: Process,
    folder: PathBuf,
    is_durable: bool,
}

/// The database within a transaction.
pub(crate) struct Session<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    process: &'a str,
    folder: &'a Path,
    /// Whether processes are alive, as checked in this transaction.
    alive: HashMap<String, bool>,
}

impl Database {
    /// Opens the database in `folder` and registers this process, which ends the claims of dead
    /// ones.
    pub(crate) fn open(folder: &Path) -> Result<Self, StateError> {
        process::check_locks(folder)?;
        let mut connection = schema::open(folder)?;
        let process = register(&mut connection, folder)?;
        Ok(Self {
            connection,
            process,
            folder: folder.to_owned(),
            is_durable: true,
        })
    }

    /// Does `work` in one transaction. Unless it is `durable`, it need only survive the end of the
    /// process.
    pub(crate) fn transaction<T>(
        &mut self,
        durable: bool,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let folder = &self.folder;
        let failed = |error| error::database(folder, error);
        if self.is_durable != durable {
            let synchronous = match durable {
                true => "FULL",
                false => "NORMAL",
            };
            self.connection
                .pragma_update(None, "synchronous", synchronous)
                .map_err(failed)?;
            self.is_durable = durable;
        }
        let begin = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(begin);
        let transaction = transaction.map_err(failed)?;
        let done = work(&mut Session {
            transaction: &transaction,
            process: self.process.id(),
            folder,
            alive: HashMap::new(),
        })?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Ends the claims of this process and closes the database.
    pub(crate) fn close(mut self) -> Result<(), StateError> {
        self.transaction(false, |session| {
            let process = session.process;
            session.forget(process)
        })
    }
}

impl Session<'_> {
    pub(crate) fn folder(&self) -> &Path {
        self.folder
    }

    /// Returns the id of this process.
    pub(crate) fn process(&self) -> &str {
        self.process
    }

    /// Returns a number that is higher than every earlier one.
    pub(crate) fn next_attempt(&self) -> Result<u64, StateError> {
        let sql = "UPDATE attempt SET last = last + 1 RETURNING last";
        self.run(|transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            statement.query_row([], |row| row.get::<_, i64>(0))
        })
        .map(i64::cast_unsigned)
    }

    /// Whether a process is alive. If it is dead, its claims are ended.
    pub(crate) fn is_alive(&mut self, process: &str) -> Result<bool, StateError> {
        if process == self.process {
            return Ok(true);
        }
        if let Some(alive) = self.alive.get(process) {
            return Ok(*alive);
        }
        let alive = process::is_alive(self.folder, process)?;
        if !alive {
            self.forget(process)?;
        }
        self.alive.insert(process.to_owned(), alive);
        Ok(alive)
    }

    /// Returns a process as a [`Holder`], or `None` if it is not known.
    pub(crate) fn holder(&self, process: &str) -> Result<Option<Holder>, StateError> {
        let sql = "SELECT pid, host, since FROM process WHERE id = ?1";
        let found = self.run(|transaction| {
            let row = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, u32>(0)?, row.get(1)?, row.get::<_, String>(2)?))
            };
            transaction.query_row(sql, [process], row).optional()
        })?;
        let found = found.and_then(|(pid, host, since): (u32, String, String)| {
            Some(Holder::new(pid, host, since.parse().ok()?))
        });
        Ok(found)
    }

    /// Ends the claims of a process, and removes it from the database.
    fn forget(&self, process: &str) -> Result<(), StateError> {
        self.run(|transaction| {
            transaction.execute(
                "UPDATE export SET process = NULL WHERE process = ?1",
                [process],
            )?;
            transaction.execute(
                "UPDATE run SET process = NULL WHERE process = ?1",
                [process],
            )?;
            transaction.execute("DELETE FROM process WHERE id = ?1", [process])?;
            Ok(())
        })
    }

    /// Runs statements, and maps their errors to [`StateError`].
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        work(self.transaction).map_err(|error| error::database(self.folder, error))
    }
}

/// Registers this process, and forgets dead ones.
fn register(connection: &mut Connection, folder: &Path) -> Result<Process, StateError> {
    let failed = |error| error::database(folder, error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let mut others = process::ids(folder).map_err(|error| error::files(folder, error))?;
    others.extend(known(&transaction).map_err(failed)?);
    let process = Process::register(folder)?;
    let mut session = Session {
        transaction: &transaction,
        process: process.id(),
        folder,
        alive: HashMap::new(),
    };
    for other in others {
        session.is_alive(&other)?;
    }
    session.run(|transaction| {
        transaction.execute(
            "INSERT INTO process (id, pid, host, since) VALUES (?1, ?2, ?3, ?4)",
            params![
                process.id(),
                std::process::id(),
                process::host(),
                Timestamp::now().to_string(),
            ],
        )
    })?;
    transaction.commit().map_err(failed)?;
    Ok(process)
}

fn known(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<String>> {
    let mut statement = transaction.prepare("SELECT id FROM process")?;
    let ids = statement.query_map([], |row| row.get(0))?;
    ids.collect()
}
