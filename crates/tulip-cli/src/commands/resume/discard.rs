//! `tulip resume --discard`

use std::sync::Arc;
use std::time::SystemTime;

use tulip_archive::{IncompleteExport, StateStore};
use tulip_core::Timestamp;
use tulip_core::sink::{SinkRegistry, SinkUrl};

use super::list::{Shown, target_in_words};
use crate::args::ResumeArgs;
use crate::commands::target;
use crate::failure::{Code, Failure, chain};
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// Discards exports, and removes what they have left.
pub(super) async fn discard(
    args: &ResumeArgs,
    store: &Arc<dyn StateStore>,
    open: Vec<IncompleteExport>,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let to = args.to.as_deref();
    let to = to.map(|to| target::url(to, &args.sink)).transpose()?;
    let mut code = None;
    for open in open {
        if to.as_ref().is_some_and(|to| !is_same_place(&open, to)) {
            continue;
        }
        let shown = Shown::of(&open);
        let discarded = discard_one(args, store, &registry, &open);
        match shutdown.finish(discarded).await? {
            Ok(true) if args.json => output::json(&shown)?,
            Ok(true) => {
                let target = target_in_words(&registry, &open);
                output::line(&format!("discarded {} to {target}", shown.source))?;
            }
            Ok(false) => {
                let why = "skipped: another tulip process is already exporting this";
                progress.warn(&format!("{}: {why}", shown.source), None);
                code = Some(Code::Other);
            }
            Err(why) => {
                progress.error(
                    &format!("{} to {}: {why}", shown.source, shown.target),
                    None,
                );
                code = Some(Code::Sink);
            }
        }
    }
    if let Some(to) = &to {
        let sink = target::connect(&registry, to, &target::network_of(&args.connection)).await?;
        let before = SystemTime::now().checked_sub(args.older_than);
        let before = Timestamp::from(before.unwrap_or(SystemTime::UNIX_EPOCH));
        let swept = shutdown.finish(sink.sweep(before)).await?;
        let swept = swept.map_err(|error| Failure::new(Code::Sink, chain(&error)))?;
        let to = output::plain(&target::shown(&registry, to));
        let swept = output::counted(swept, "stale upload");
        progress.say(&format!("removed {swept} from {to}"));
    }
    code.map_or(Ok(()), |code| Err(Failure::reported(code)))
}

async fn discard_one(
    args: &ResumeArgs,
    store: &Arc<dyn StateStore>,
    registry: &SinkRegistry,
    open: &IncompleteExport,
) -> Result<bool, String> {
    let url = open.target_url().ok().flatten();
    let Some(url) = url.filter(|_| open.has_left_something()) else {
        return open
            .forget(store.clone())
            .await
            .map_err(|error| chain(&error));
    };
    let in_words = |failure: Failure| failure.to_string();
    let url = target::with_options(url, &args.sink).map_err(in_words)?;
    let sink = target::connect(registry, &url, &target::network_of(&args.connection)).await;
    let sink = sink.map_err(in_words)?;
    let discarded = open.discard(store.clone(), sink.as_ref()).await;
    discarded.map_err(|error| chain(&error))
}

/// Whether an export goes to this target, ignoring options.
fn is_same_place(open: &IncompleteExport, to: &SinkUrl) -> bool {
    let place = |url: &SinkUrl| {
        (
            url.scheme().to_owned(),
            url.host().map(str::to_owned),
            url.path().trim_end_matches('/').to_owned(),
        )
    };
    let url = open.target_url().ok().flatten();
    url.is_some_and(|url| place(&url) == place(to))
}
