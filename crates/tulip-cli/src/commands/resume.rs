//! `tulip resume`

use std::time::SystemTime;

use serde::Serialize;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{Exporter, OpenExport, Source, StateStore};
use tulip_core::sink::{SinkRegistry, SinkUrl};
use tulip_core::{JobId, ObjectKey, Timestamp};
use tulip_http::Client;

use super::fleet::{self, Finished, Planned};
use super::report::report;
use super::target;
use crate::args::ResumeArgs;
use crate::failure::{Code, Failure, chain};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, output, state};

pub(crate) async fn run(
    args: ResumeArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let Some(store) = state::store(&args.state, progress)? else {
        let what = "there is no folder in which open exports are remembered; name one with --state";
        return Err(Failure::usage(what));
    };
    let open = store.list();
    let mut open = open.map_err(|error| Failure::other(chain(&error)))?;
    open.retain(|open| is_chosen(&args, open));
    if args.discard {
        return discard(&args, &store, open, progress, shutdown).await;
    }
    if args.list {
        return list(&open, args.json, progress);
    }
    if open.is_empty() {
        progress.say("nothing is open");
        return Ok(());
    }
    let client = connect::client(&args.connection)?;
    let (exports, left_out) = exports(&args, &store, &client, &open, progress).await?;
    let report = |finished: &Finished| report(progress, finished, args.json);
    fleet::export(exports, args.concurrency.get(), progress, shutdown, report).await?;
    match left_out {
        false => Ok(()),
        true => Err(Failure::reported(Code::Other)),
    }
}

fn is_chosen(args: &ResumeArgs, open: &OpenExport) -> bool {
    if args.machine.is_empty() && args.job.is_empty() {
        return true;
    }
    let source = open.source();
    let machine = source.as_ref().and_then(Source::known_machine);
    machine.is_some_and(|machine| args.machine.contains(machine))
        || open.job().is_some_and(|job| args.job.contains(job))
}

/// The exports that can be finished with this client, and whether others should be and cannot. What is
/// left out is said.
async fn exports(
    args: &ResumeArgs,
    store: &StateStore,
    client: &Client,
    open: &[OpenExport],
    progress: &Progress,
) -> Result<(Vec<Planned>, bool), Failure> {
    let (mut exports, mut unfinished) = (Vec::new(), false);
    for open in open {
        let left_out = |why: &str| {
            let name = Shown::of(open).source;
            progress.say(&format!("not resumed: {name} to {}: {why}", open.target()));
        };
        let workspace = client.workspace().map(ToString::to_string);
        if open.instance() != client.instance().to_string() {
            left_out(&format!("it is of {}", open.instance()));
            continue;
        }
        if open.workspace() != workspace.as_deref() {
            left_out("it is of another workspace, or kind of token");
            continue;
        }
        if open.running {
            left_out("another run is at it");
            continue;
        }
        let Some(url) = open.target_url().ok().flatten() else {
            left_out("its program alone knows its target");
            continue;
        };
        let url = target::with_options(url, &args.sink)?;
        let builder = Exporter::builder(client.clone())
            .to_url(url)
            .poll(PollPolicy::default().deadline(args.timeout))
            .state(store.clone());
        match open.apply(builder).build().await {
            Ok(exporter) => exports.extend(Planned::resumed(&exporter, open)),
            Err(error) => {
                unfinished = true;
                left_out(&chain(&error));
            }
        }
    }
    Ok((exports, unfinished))
}

async fn discard(
    args: &ResumeArgs,
    store: &StateStore,
    open: Vec<OpenExport>,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let to = args.to.as_deref();
    let to = to.map(|to| target::url(to, &args.sink)).transpose()?;
    let mut failures = 0;
    for open in open {
        if to.as_ref().is_some_and(|to| !is_same_place(&open, to)) {
            continue;
        }
        let shown = Shown::of(&open);
        let given_up = give_up(args, store, &registry, &open);
        match shutdown.finish(given_up).await? {
            Ok(true) if args.json => output::json(&shown)?,
            Ok(true) => output::line(&format!("discarded {} to {}", shown.source, shown.target))?,
            Ok(false) => progress.say(&format!("{} is being exported now", shown.source)),
            Err(why) => {
                progress.error(&format!("{} to {}: {why}", shown.source, shown.target));
                failures += 1;
            }
        }
    }
    if let Some(to) = &to {
        let sink = target::connect(&registry, to, args.connection.ca_file.clone()).await?;
        let before = Timestamp::from(SystemTime::now() - args.older_than);
        let swept = shutdown.finish(sink.sweep(before)).await?;
        let swept = swept.map_err(|error| Failure::new(Code::Sink, chain(&error)))?;
        progress.say(&format!(
            "{swept} unfinished objects were removed from {to}"
        ));
    }
    match failures {
        0 => Ok(()),
        _ => Err(Failure::reported(Code::Sink)),
    }
}

async fn give_up(
    args: &ResumeArgs,
    store: &StateStore,
    registry: &SinkRegistry,
    open: &OpenExport,
) -> Result<bool, String> {
    let url = open.target_url().ok().flatten();
    let Some(url) = url.filter(|_| open.has_left_something()) else {
        return store.forget(open).await.map_err(|error| chain(&error));
    };
    let in_words = |failure: Failure| failure.to_string();
    let url = target::with_options(url, &args.sink).map_err(in_words)?;
    let sink = target::connect(registry, &url, args.connection.ca_file.clone()).await;
    let sink = sink.map_err(in_words)?;
    let discarded = store.discard(open, sink.as_ref()).await;
    discarded.map_err(|error| chain(&error))
}

/// Whether an export goes to this target, whatever their options.
fn is_same_place(open: &OpenExport, to: &SinkUrl) -> bool {
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

/// An open export, as `--json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a JobId>,
    instance: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a ObjectKey>,
    bytes: u64,
    began: Timestamp,
    state: &'static str,
}

impl<'a> Shown<'a> {
    fn of(open: &'a OpenExport) -> Self {
        let source = open.source();
        Self {
            source: source.map_or_else(String::new, |source| output::plain(&source.to_string())),
            job: open.job(),
            instance: open.instance(),
            target: open.target(),
            key: open.key(),
            bytes: open.bytes(),
            began: open.began(),
            state: match open.job() {
                _ if open.running => "running",
                _ if open.is_start_unknown() => "start unknown",
                None => "not started",
                Some(_) => "open",
            },
        }
    }
}

fn list(open: &[OpenExport], json: bool, progress: &Progress) -> Result<(), Failure> {
    let shown = open.iter().map(Shown::of);
    if json {
        return shown.into_iter().try_for_each(|open| output::json(&open));
    }
    if open.is_empty() {
        progress.say("nothing is open");
        return Ok(());
    }
    let rows: Vec<_> = shown
        .map(|open| {
            [
                open.source,
                open.job.map_or_else(String::new, ToString::to_string),
                open.state.to_owned(),
                output::size(open.bytes),
                open.began.to_string(),
                open.target.to_owned(),
            ]
        })
        .collect();
    output::table(["EXPORT", "JOB", "STATE", "KEPT", "BEGAN", "TARGET"], &rows)
}
