//! `tulip runs prune`

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tulip_archive::StateError;
use tulip_core::Timestamp;
use tulip_fleet::ledger::Ledger;

use super::find;
use crate::args::PruneArgs;
use crate::failure::Failure;
use crate::output::{self, plain};
use crate::progress::Progress;
use crate::state;

/// A run that was removed, as `--json` prints it.
#[derive(Serialize)]
struct Pruned<'a> {
    run: &'a str,
    started: Timestamp,
}

pub(crate) async fn run(args: &PruneArgs, progress: &Progress) -> Result<(), Failure> {
    let Some(ledger) = state::existing(&args.state)? else {
        progress.say("no run is remembered");
        return Ok(());
    };
    let pruned = older_than(&ledger, args.older_than, args.keep).await;
    let pruned = pruned.map_err(find::failure)?;
    if args.json {
        return pruned.iter().try_for_each(|(run, started)| {
            let started = *started;
            output::json(&Pruned { run, started })
        });
    }
    for (run, _) in &pruned {
        output::line(&plain(run))?;
    }
    progress.say(&format!(
        "forgot {}; no archive was touched",
        output::counted(pruned.len(), "run")
    ));
    Ok(())
}

/// Removes runs that started at least `age` ago, except the latest `keep` and those that a process
/// has claimed. Returns their ids and start times.
pub(crate) async fn older_than(
    ledger: &dyn Ledger,
    age: Duration,
    keep: usize,
) -> Result<Vec<(String, Timestamp)>, StateError> {
    let oldest = SystemTime::now().checked_sub(age);
    let oldest = oldest.map_or(Timestamp::from(SystemTime::UNIX_EPOCH), Timestamp::from);
    let mut pruned = Vec::new();
    for overview in ledger.runs().await?.into_iter().skip(keep) {
        let run = overview.run;
        if run.started <= oldest && ledger.remove(&run.id).await? {
            pruned.push((run.id, run.started));
        }
    }
    Ok(pruned)
}
