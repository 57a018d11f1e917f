//! `tulip runs show`

use std::time::Duration;

use serde::Serialize;
use tulip_core::{Timestamp, format_byte_size, format_duration};
use tulip_fleet::ledger::{Ledger as _, RunOverview};
use tulip_fleet::{ItemOutcome, ItemSummary, RunEnd};

use super::find;
use super::list::{Shown, finished, status};
use crate::args::ShowRunArgs;
use crate::failure::Failure;
use crate::output::{self, plain};
use crate::progress::Progress;
use crate::state;

/// A run with its exports, as `--json` prints it.
#[derive(Serialize)]
struct ShownWhole<'a> {
    #[serde(flatten)]
    run: Shown<'a>,
    exports: &'a [ItemSummary],
}

pub(crate) async fn run(args: &ShowRunArgs, progress: &Progress) -> Result<(), Failure> {
    let Some(ledger) = state::existing(&args.state)? else {
        return Err(Failure::usage("no run is remembered"));
    };
    let overview = find::overview(&ledger, &args.run, |_| true).await?;
    let whole = ledger.run(&overview.run.id).await.map_err(find::failure)?;
    let items = whole.map(|run| run.items).unwrap_or_default();
    if args.json {
        return output::json(&ShownWhole {
            run: Shown::of(&overview),
            exports: &items,
        });
    }
    head(&overview)?;
    let mut shown: Vec<_> = items.iter().collect();
    if !args.all {
        shown.retain(|item| !item.outcome.is_success());
    }
    shown.sort_by_key(|item| (item.is_open, item.outcome.as_str(), item.name()));
    let rows: Vec<_> = shown.into_iter().map(row).collect();
    if !rows.is_empty() {
        output::line("")?;
        output::table(["MACHINE", "OUTCOME", "ATTEMPTS", "SIZE", "ERROR"], &rows)?;
    }
    let is_continuable =
        !overview.is_claimed && items.iter().any(|item| !item.outcome.is_success());
    if is_continuable {
        let id = &overview.run.id;
        progress.hint(&format!(
            "to try these again, run `tulip export --retry-failed {id}` with its --to and --name"
        ));
    }
    Ok(())
}

/// Prints the run without its exports.
fn head(overview: &RunOverview) -> Result<(), Failure> {
    let run = &overview.run;
    let until = |end: Timestamp| {
        let took = end.as_system_time();
        let took = took.duration_since(run.started.as_system_time());
        format_duration(took.unwrap_or(Duration::ZERO))
    };
    let took = match run.end {
        RunEnd::Open if overview.is_claimed => {
            format!(", running for {}", until(Timestamp::now()))
        }
        // Nobody knows when it was killed.
        RunEnd::Open => String::new(),
        _ => format!(", took {}", until(run.ended)),
    };
    let reason = run.reason.as_deref().map(|why| format!(": {}", plain(why)));
    let state = format!("{}{}", status(overview), reason.unwrap_or_default());
    let holder = overview.holder.as_ref();
    let holder = holder.map(|holder| format!("{} on {}", holder.pid, plain(&holder.host)));
    let shard = run.shard.clone();
    let rows = [
        ("Run", Some(plain(&run.id))),
        ("Status", Some(state)),
        ("Process", holder),
        ("Instance", Some(plain(&run.instance))),
        ("Target", Some(plain(&run.target))),
        ("Shard", shard),
        ("Started", Some(format!("{}{took}", run.started))),
        ("Exports", Some(counts(overview))),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            output::line(&format!("{name:<9} {value}"))?;
        }
    }
    Ok(())
}

fn counts(overview: &RunOverview) -> String {
    let counts = finished(overview);
    let parts = [
        (counts.stored, "stored"),
        (counts.unchanged, "unchanged"),
        (counts.not_started, "not started"),
        (counts.start_unknown, "start unknown"),
        (counts.failed_at_tulip, "failed at Tulip"),
        (counts.failed_to_store, "failed to store"),
        (overview.open, "not finished"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => format!("{}; {}", parts.join(", "), format_byte_size(counts.bytes)),
    }
}

fn row(item: &ItemSummary) -> [String; 5] {
    let outcome = match item.is_open {
        true if item.started.is_some() => "under_way",
        true => "waiting",
        false => item.outcome.as_str(),
    };
    let error = match (item.is_open, item.outcome) {
        (true, _) | (_, ItemOutcome::Stored | ItemOutcome::Unchanged) => None,
        _ => item.error.as_deref(),
    };
    [
        plain(item.name()),
        outcome.to_owned(),
        item.attempts.to_string(),
        item.bytes.map(format_byte_size).unwrap_or_default(),
        error.map(plain).unwrap_or_default(),
    ]
}
