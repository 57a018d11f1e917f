//! `tulip resume`

mod discard;
mod list;
mod resuming;

use std::sync::Arc;

use tulip_archive::{IncompleteExport, Source, StateStore};
use tulip_fleet::{ItemReport, NeverRetryItem, Run};

use self::resuming::Resuming;
use super::export_line::report;
use super::fleet;
use super::summary::Summary;
use crate::args::ResumeArgs;
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, state};

pub(crate) async fn run(
    args: ResumeArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let Some(store) = state::store(&args.state, progress)? else {
        let what = "no state folder";
        return Err(Failure::usage(what).with_hint("set --state or TULIP_STATE"));
    };
    let open = IncompleteExport::list(&store).await;
    let mut open =
        open.map_err(|error| Failure::other(chain(&error)).with_hint(state::hint_of(&error)))?;
    open.retain(|open| is_chosen(&args, open));
    if args.discard {
        let store: Arc<dyn StateStore> = Arc::new(store);
        return discard::discard(&args, &store, open, progress, shutdown).await;
    }
    if args.list {
        return list::list(&open, args.json, progress);
    }
    if open.is_empty() {
        progress.say("no unfinished exports");
        return Ok(());
    }
    let client = connect::downloading_client(&args.connection, &args.downloads)?;
    let mut resuming = Resuming::start(client, store, &open).await?;
    let plan = resuming.plan(&args, &open).await?;
    let run = Run::new(plan)
        .concurrency(args.concurrency.get())
        .retry_policy(NeverRetryItem);
    let mut summary = Summary::start();
    let report = |ended: &ItemReport| {
        summary.record(ended);
        report(progress, None, ended, args.json)
    };
    let ended = fleet::run(run, progress, shutdown, report).await;
    summary.print(progress);
    let recorded = resuming.end(progress).await;
    ended.result.and(recorded)
}

fn is_chosen(args: &ResumeArgs, open: &IncompleteExport) -> bool {
    if args.machine.is_empty() && args.job.is_empty() {
        return true;
    }
    let source = open.source();
    let machine = source.as_ref().and_then(Source::known_machine);
    machine.is_some_and(|machine| args.machine.contains(machine))
        || open.job().is_some_and(|job| args.job.contains(job))
}
