//! `tulip resume`

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{ExportErrorKind, Exporter, IncompleteExport, Source, StateStore};
use tulip_core::sink::{SinkRegistry, SinkUrl};
use tulip_core::{JobId, ObjectKey, Timestamp, format_byte_size};
use tulip_fleet::{ItemReport, NeverRetry, NotStarted, Plan, Run};
use tulip_http::Client;

use super::fleet;
use super::report::report;
use super::summary::Summary;
use super::target;
use crate::args::ResumeArgs;
use crate::failure::{Code, Failure, chain};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, output, state, values};

pub(crate) async fn run(
    args: ResumeArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let Some(store) = state::store(&args.state, progress)? else {
        let what = "no state folder";
        return Err(Failure::usage(what).with_hint("set --state or TULIP_STATE"));
    };
    let store: Arc<dyn StateStore> = Arc::new(store);
    let open = IncompleteExport::list(store.as_ref()).await;
    let mut open =
        open.map_err(|error| Failure::other(chain(&error)).with_hint(state::hint_of(&error)))?;
    open.retain(|open| is_chosen(&args, open));
    if args.discard {
        return discard(&args, &store, open, progress, shutdown).await;
    }
    if args.list {
        return list(&open, args.json, progress);
    }
    if open.is_empty() {
        progress.say("no unfinished exports");
        return Ok(());
    }
    let client = connect::downloading_client(&args.connection, &args.downloads)?;
    let plan = plan(&args, &store, &client, &open).await?;
    let run = Run::new(plan)
        .concurrency(args.concurrency.get())
        .retry_policy(NeverRetry);
    let mut summary = Summary::start();
    let report = |ended: &ItemReport| {
        summary.record(ended);
        report(progress, None, ended, args.json)
    };
    let ended = fleet::run(run, progress, shutdown, report).await;
    summary.print(progress);
    ended.result
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

/// The exports that can be resumed with this client, and those that cannot.
async fn plan(
    args: &ResumeArgs,
    store: &Arc<dyn StateStore>,
    client: &Client,
    open: &[IncompleteExport],
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    for open in open {
        // A record that does not tell what it exports is of a version that did not exist yet.
        let Some(source) = open.source() else {
            continue;
        };
        let url = match target_of(open, client) {
            Ok(url) => target::with_options(url, &args.sink)?,
            Err(why) => {
                plan = plan.with_ended(ItemReport::not_started(source, why));
                continue;
            }
        };
        let builder = Exporter::builder(client.clone())
            .to_url(url)
            .poll(PollPolicy::default().deadline(values::no_limit_if_zero(args.timeout)))
            .state(store.clone());
        match builder.settings_of(open).build().await {
            Ok(exporter) => plan = plan.with_incomplete(&exporter, open),
            Err(error) => plan = plan.with_ended(ItemReport::failed(source, error)),
        }
    }
    Ok(plan)
}

/// Where an export goes, if this client can resume it.
fn target_of(open: &IncompleteExport, client: &Client) -> Result<SinkUrl, NotStarted> {
    let skipped = |kind, why: &str| NotStarted::new(kind, format!("skipped: {why}"));
    if open.instance() != client.instance().to_string() {
        let why = format!(
            "belongs to instance {} (set TULIP_BASE_URL)",
            open.instance()
        );
        return Err(skipped(ExportErrorKind::InvalidRequest, &why));
    }
    let workspace = client.workspace().map(ToString::to_string);
    if open.workspace() != workspace.as_deref() {
        let why = match open.workspace() {
            Some(workspace) => format!("belongs to workspace {workspace} (set TULIP_WORKSPACE_ID)"),
            None => "was started with a workspace token (unset TULIP_WORKSPACE_ID)".to_owned(),
        };
        return Err(skipped(ExportErrorKind::InvalidRequest, &why));
    }
    if open.running {
        let why = "another tulip process is already exporting this";
        return Err(skipped(ExportErrorKind::AlreadyRunning, why));
    }
    let url = open.target_url().ok().flatten();
    url.ok_or_else(|| {
        let why = "its target is not a URL; resume it with the program that started it";
        skipped(ExportErrorKind::InvalidRequest, why)
    })
}

async fn discard(
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
        progress.say(&format!("removed {swept} stale uploads from {to}"));
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

/// Whether an export goes to this target, whatever their options.
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
    started: Timestamp,
    state: &'static str,
}

impl<'a> Shown<'a> {
    fn of(open: &'a IncompleteExport) -> Self {
        let source = open.source();
        Self {
            source: source.map_or_else(String::new, |source| output::plain(&source.to_string())),
            job: open.job(),
            instance: open.instance(),
            target: open.target(),
            key: open.key(),
            bytes: open.bytes(),
            started: open.began(),
            state: match open.job() {
                _ if open.running => "running",
                _ if open.is_start_unknown() => "start unknown",
                None => "not started",
                Some(_) => "incomplete",
            },
        }
    }
}

/// Where an export goes, as people write it.
fn target_in_words(registry: &SinkRegistry, open: &IncompleteExport) -> String {
    let url = open.target_url().ok().flatten();
    output::plain(&url.map_or_else(
        || open.target().to_owned(),
        |url| target::shown(registry, &url),
    ))
}

fn list(open: &[IncompleteExport], json: bool, progress: &Progress) -> Result<(), Failure> {
    if json {
        let mut shown = open.iter().map(Shown::of);
        return shown.try_for_each(|open| output::json(&open));
    }
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    if open.is_empty() {
        progress.say("no unfinished exports");
        return Ok(());
    }
    let rows: Vec<_> = open
        .iter()
        .map(|incomplete| {
            let open = Shown::of(incomplete);
            [
                open.source,
                open.job
                    .map_or_else(String::new, |job| output::plain(job.as_str())),
                open.state.to_owned(),
                format_byte_size(open.bytes),
                open.started.to_string(),
                target_in_words(&registry, incomplete),
            ]
        })
        .collect();
    output::table(
        ["EXPORT", "JOB", "STATE", "RECEIVED", "STARTED", "TARGET"],
        &rows,
    )
}
