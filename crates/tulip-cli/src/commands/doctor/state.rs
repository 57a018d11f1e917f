//! The checks of the state folder and its ledger.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tulip_archive::{IncompleteExport, StateError, StateErrorKind};
use tulip_ledger::SqliteLedger;

use super::check::Check;
use super::findings::Findings;
use super::folders::MissingFolders;
use crate::args::DoctorArgs;
use crate::failure::{Failure, chain};
use crate::shutdown::Shutdown;
use crate::state::{self, Place};

/// Written to the state folder, so that a full disk shows.
const BYTES: [u8; 4096] = [b'\n'; 4096];

/// Locks, writes and removes a file in the state folder, and counts unfinished exports.
pub(super) async fn check(
    args: &DoctorArgs,
    findings: &mut Findings,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    if args.no_state {
        findings.skip(Check::State, "not used: --no-state", None);
        findings.skip(Check::Ledger, "not used: --no-state", None);
        return Ok(());
    }
    let place = state::place(&args.state);
    let Some(folder) = place.path().map(Path::to_owned) else {
        unusable(&place, "there is no home directory", findings);
        return Ok(());
    };
    let shown = folder.display().to_string();
    let looked = shutdown
        .guard(spawn_blocking(move || look(&folder)))
        .await?;
    match looked.unwrap_or_else(|error| Err(error.to_string())) {
        Err(reason) => unusable(&place, &reason, findings),
        Ok(remembered) => {
            findings.ok(Check::State, format!("{shown}: can be written and locked"));
            match remembered {
                Ok(0) => findings.ok(Check::Ledger, "no unfinished exports"),
                Ok(1) => findings.ok(
                    Check::Ledger,
                    "1 unfinished export: see `tulip resume --list`",
                ),
                Ok(count) => {
                    let found = format!("{count} unfinished exports: see `tulip resume --list`");
                    findings.ok(Check::Ledger, found);
                }
                Err(error) => {
                    let found = chain(&error);
                    findings.fail_with(Check::Ledger, found, Check::Ledger.advice());
                }
            }
        }
    }
    Ok(())
}

/// A named folder must be usable. Without a usable default folder, exports run but are not
/// remembered.
fn unusable(place: &Place, reason: &str, findings: &mut Findings) {
    match place {
        Place::Named(_) => findings.fail_with(Check::State, reason, Check::State.advice()),
        Place::Own(_) | Place::Nowhere => findings.warn(
            Check::State,
            format!("an interrupted run cannot be resumed: {reason}"),
            Check::State.advice(),
        ),
    }
    findings.skip_because(Check::Ledger, Check::State);
}

/// Counts the unfinished exports of the folder. The outer error says why it cannot hold the state.
fn look(folder: &Path) -> Result<Result<usize, StateError>, String> {
    let _missing = MissingFolders::of(folder);
    SqliteLedger::create_folder(folder).map_err(|error| chain(&error))?;
    try_file(folder).map_err(|error| format!("cannot use {}: {error}", folder.display()))?;
    Ok(unfinished(folder))
}

/// Counts unfinished exports. Does not create a missing database.
fn unfinished(folder: &Path) -> Result<usize, StateError> {
    if !SqliteLedger::exists(folder) {
        return Ok(0);
    }
    let ledger = SqliteLedger::open(folder)?;
    Handle::current().block_on(async {
        if let Some(first) = ledger.damage().await?.first() {
            let what = format!("the database is damaged: {first}");
            return Err(StateError::new(StateErrorKind::Damaged, what));
        }
        Ok(IncompleteExport::list(&ledger).await?.len())
    })
}

fn try_file(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    // A killed doctor with the same process id may have left it.
    let _ = std::fs::remove_file(&path);
    let mut file = File::create_new(&path)?;
    let tried = match file.try_lock() {
        Ok(()) | Err(TryLockError::WouldBlock) => {
            file.write_all(&BYTES).and_then(|()| file.sync_all())
        }
        Err(TryLockError::Error(error)) => Err(io::Error::new(
            error.kind(),
            format!("its file system has no locks: {error}"),
        )),
    };
    drop(file);
    tried.and(std::fs::remove_file(&path))
}
