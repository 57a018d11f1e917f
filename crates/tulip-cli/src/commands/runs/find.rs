//! Look-up of runs by the names that people give them.

use tulip_archive::StateError;
use tulip_fleet::RunSummary;
use tulip_fleet::ledger::{Ledger, RunOverview};

use crate::failure::{Failure, chain};
use crate::state;

/// The name that stands for the latest run.
pub(crate) const LAST: &str = "last";

/// Finds the run that `name` stands for: its id, the beginning of its id, or `last` for the latest
/// run that `fits`.
pub(crate) async fn overview(
    ledger: &dyn Ledger,
    name: &str,
    fits: impl Fn(&RunSummary) -> bool,
) -> Result<RunOverview, Failure> {
    let name = name.trim();
    let mut runs = ledger.runs().await.map_err(failure)?;
    if name == LAST {
        if runs.is_empty() {
            return Err(Failure::usage("no run is remembered"));
        }
        let last = runs.into_iter().find(|overview| fits(&overview.run));
        return last.ok_or_else(|| {
            let none = "no run of this instance to this target is remembered";
            Failure::usage(none).with_hint("`tulip runs` lists the runs")
        });
    }
    if let Some(at) = runs.iter().position(|overview| overview.run.id == name) {
        return Ok(runs.swap_remove(at));
    }
    runs.retain(|overview| overview.run.id.starts_with(name));
    match runs.len() {
        1 => Ok(runs.remove(0)),
        0 => Err(missing(name)),
        count => {
            let what = format!("{count} runs have ids that begin with {name:?}");
            Err(Failure::usage(what).with_hint("`tulip runs` lists them"))
        }
    }
}

/// Like [`overview`], but with the exports of the run.
pub(crate) async fn run(
    ledger: &dyn Ledger,
    name: &str,
    fits: impl Fn(&RunSummary) -> bool,
) -> Result<RunSummary, Failure> {
    let found = overview(ledger, name, fits).await?;
    let run = ledger.run(&found.run.id).await.map_err(failure)?;
    // `None` if it has been removed meanwhile.
    run.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Failure {
    Failure::usage(format!("there is no run {name:?}")).with_hint("`tulip runs` lists them")
}

/// Converts the error of a ledger that cannot be read.
pub(crate) fn failure(error: StateError) -> Failure {
    Failure::other(chain(&error)).with_hint(state::hint_of(&error))
}
