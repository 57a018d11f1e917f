//! This process's run in the ledger.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};

use serde_json::{Value, json};
use tulip_archive::Exporter;
use tulip_core::Timestamp;
use tulip_fleet::ledger::{BeginOutcome, Continue, Ledger as _, NewRun, RunLog};
use tulip_fleet::{ItemSummary, Plan, RunEnd, RunSummary};
use tulip_ledger::SqliteLedger;

use super::runs::{find, prune};
use crate::failure::{Failure, chain};
use crate::output::{counted, plain};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::state;

/// How often to check whether the other run has ended.
const PAUSE: Duration = Duration::from_secs(1);

/// How long runs are kept.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// The minimum number of runs that are kept.
const KEPT_RUNS: usize = 30;

/// How many earlier runs a report compares with.
const EARLIER: usize = 14;

/// How many objects of a continued run are looked up at once.
const LOOKUPS: usize = 16;

/// A run that this process has claimed.
pub(crate) struct OpenRun {
    ledger: SqliteLedger,
    pub(crate) log: Arc<RunLog>,
    /// The run, with its exports as an earlier process left them.
    pub(crate) run: RunSummary,
}

/// Returns the time before which runs and jobs are too old to be continued.
pub(crate) fn since(within: Duration) -> Timestamp {
    let since = SystemTime::now().checked_sub(within);
    Timestamp::from(since.unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Which run to continue: the named one, or the latest one of the same command unless it is older
/// than `within`.
pub(crate) fn continues(named: Option<String>, within: Duration) -> Continue {
    match named {
        Some(run) => Continue::Run(run),
        None if within.is_zero() => Continue::Nothing,
        None => Continue::Latest(since(within)),
    }
}

/// The canonical form of a command: equal commands continue each other's runs.
pub(crate) fn command(selection: &str, name: Option<String>, shard: Option<&str>) -> String {
    json!({ "selection": selection, "name": name, "shard": shard }).to_string()
}

/// The key template in the canonical form of a command; `None` for the default.
pub(crate) fn name_of(command: &str) -> Option<String> {
    let command: Value = serde_json::from_str(command).ok()?;
    command["name"].as_str().map(str::to_owned)
}

/// Claims the run. If another run to the same target has an export in common, fails or, with
/// `wait`, waits until that run has ended. If nothing can be recorded, warns and returns `None`.
pub(crate) async fn begin(
    ledger: SqliteLedger,
    new: NewRun,
    wait: bool,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<Option<OpenRun>, Failure> {
    let mut is_told = false;
    loop {
        let begun = match shutdown.guard(ledger.begin(new.clone())).await? {
            Ok(begun) => begun,
            Err(error) => {
                let message = format!("this run cannot be continued later: {}", chain(&error));
                progress.warn(&message, Some(state::hint_of(&error)));
                return Ok(None);
            }
        };
        let (run, started, holder) = match begun {
            BeginOutcome::Claimed { claim, run } => {
                let log = RunLog::new(Arc::new(ledger.clone()), claim);
                return Ok(Some(OpenRun {
                    ledger,
                    log: Arc::new(log),
                    run: *run,
                }));
            }
            BeginOutcome::Busy {
                run,
                started,
                holder,
            } => (run, started, holder),
            _ => return Err(Failure::usage("the run to continue no longer exists")),
        };
        let process = holder.map(|holder| format!(", process {} on {}", holder.pid, holder.host));
        let what = format!(
            "another run has been exporting to {} since {started}: {}{}",
            plain(&new.run.target),
            plain(&run),
            plain(&process.unwrap_or_default()),
        );
        if !wait {
            return Err(Failure::other(what).with_hint("to wait until it has ended, add --wait"));
        }
        if !is_told {
            progress.say(&format!("waiting: {what}"));
            is_told = true;
        }
        shutdown.guard(tokio::time::sleep(PAUSE)).await?;
    }
}

impl OpenRun {
    /// Prints which run is continued.
    pub(crate) fn tell(&self, new: &str, left: usize, progress: &Progress) {
        let items = self.run.items.iter();
        let done = items.filter(|item| item.outcome.is_success()).count();
        if self.run.id == new || done == 0 {
            return;
        }
        let (id, all) = (plain(&self.run.id), done + left);
        progress.say(&format!(
            "continuing run {id} of {}: {done} of {all} exports are done (--resume-within 0 starts \
             another run)",
            self.run.started
        ));
    }

    /// Drops stored and unchanged exports whose object is no longer at the target, so that they are
    /// exported again: a volume may not be mounted, or a folder was removed.
    /// Only those in `plan` can be: `--retry-failed` leaves the others alone.
    pub(crate) async fn drop_gone(
        &mut self,
        exporter: &Exporter,
        plan: &Plan,
        progress: &Progress,
    ) {
        if !exporter.sink().capabilities().lookup {
            return;
        }
        let planned = plan.summaries();
        let planned: HashSet<_> = planned.iter().map(ItemSummary::id).collect();
        let finished = self.run.items.iter();
        let finished =
            finished.filter(|item| item.outcome.is_success() && planned.contains(&item.id()));
        let lookups = finished.filter_map(|item| Some((item.id(), item.key.clone()?)));
        let lookups = lookups.map(async |(id, key)| match exporter.lookup(&key).await {
            Ok(None) => Some(id),
            // An error is no proof, and the next export will meet it.
            _ => None,
        });
        let gone = stream::iter(lookups).buffer_unordered(LOOKUPS);
        let gone: HashSet<_> = gone.filter_map(ready).collect().await;
        if gone.is_empty() {
            return;
        }
        progress.warn(
            &format!(
                "{} that this run had stored {} no longer at the target: exporting again",
                counted(gone.len(), "archive"),
                if gone.len() == 1 { "is" } else { "are" },
            ),
            None,
        );
        self.run.items.retain(|item| !gone.contains(&item.id()));
    }

    /// Records how the run ended, and prunes old runs. If the ledger cannot be written, warns,
    /// unless it has already failed for an export: exports keep their state in the same place and
    /// have warned.
    pub(crate) async fn end(&self, end: RunEnd, reason: Option<String>, progress: &Progress) {
        let ended = self.log.end(end, reason).await;
        let ended = match ended {
            Ok(()) => prune::older_than(&self.ledger, KEPT, KEPT_RUNS)
                .await
                .map(drop),
            failed => failed,
        };
        if let Err(error) = ended
            && !self.log.has_failed()
        {
            let message = format!("the end of the run was not recorded: {}", chain(&error));
            progress.warn(&message, Some(state::hint_of(&error)));
        }
    }

    pub(crate) fn ledger(&self) -> &SqliteLedger {
        &self.ledger
    }
}

/// The latest runs before this one with the same instance and target, for a report to compare with.
pub(crate) async fn earlier(
    ledger: &SqliteLedger,
    run: &RunSummary,
) -> Result<Vec<RunSummary>, Failure> {
    let is_earlier = |other: &RunSummary| {
        other.id != run.id
            && other.started < run.started
            && (&other.instance, &other.target) == (&run.instance, &run.target)
    };
    let all = ledger.runs().await.map_err(find::failure)?;
    let ids = all.into_iter().map(|overview| overview.run);
    let mut earlier = Vec::new();
    for other in ids.filter(is_earlier).take(EARLIER) {
        let Some(mut found) = ledger.run(&other.id).await.map_err(find::failure)? else {
            continue;
        };
        // Only totals are compared, so drop the details of what may be thousands of exports.
        for item in &mut found.items {
            (item.phases, item.error) = (Vec::new(), None);
        }
        earlier.push(found);
    }
    Ok(earlier)
}
