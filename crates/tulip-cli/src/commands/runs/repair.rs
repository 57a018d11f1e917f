//! `tulip runs repair`

use serde::Serialize;
use tulip_ledger::SqliteLedger;

use crate::args::RepairArgs;
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::{output, state};

/// The result of a repair, as `--json` prints it.
#[derive(Serialize)]
struct Shown {
    moved_to: String,
    exports: usize,
    runs: usize,
    incomplete: bool,
    damage: Vec<String>,
}

pub(crate) fn run(args: &RepairArgs, progress: &Progress) -> Result<(), Failure> {
    let place = state::place(&args.state);
    let Some(folder) = place.path() else {
        return Err(Failure::usage("no state folder").with_hint("set --state or TULIP_STATE"));
    };
    if !SqliteLedger::exists(folder) {
        let folder = output::plain(&folder.to_string_lossy());
        let what = format!("there is no database in {folder}: nothing to repair");
        return Err(Failure::usage(what).with_hint("name its folder with --state"));
    }
    let repaired = SqliteLedger::repair(folder)
        .map_err(|error| Failure::other(chain(&error)).with_hint(state::hint_of(&error)))?;
    let shown = Shown {
        moved_to: output::plain(&repaired.moved_to.to_string_lossy()),
        exports: repaired.exports,
        runs: repaired.runs,
        incomplete: repaired.is_incomplete,
        damage: repaired
            .damage
            .iter()
            .map(|line| output::plain(line))
            .collect(),
    };
    if args.json {
        return output::json(&shown);
    }
    for line in &shown.damage {
        progress.say(&format!("damage: {line}"));
    }
    let Shown { exports, runs, .. } = shown;
    output::line(&format!(
        "kept {} and {}; the old database is {}",
        output::counted(exports, "unfinished export"),
        output::counted(runs, "run"),
        shown.moved_to
    ))?;
    if shown.incomplete {
        let hint = "look in Tulip for archives that were started and not stored";
        progress.warn("some of the old database could not be read", Some(hint));
    }
    Ok(())
}
