//! `tulip resume --list`

use serde::Serialize;
use tulip_archive::IncompleteExport;
use tulip_core::sink::SinkRegistry;
use tulip_core::{JobId, ObjectKey, Timestamp, format_byte_size};

use crate::commands::target;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// An open export, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a JobId>,
    instance: &'a str,
    pub(super) target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a ObjectKey>,
    bytes: u64,
    started: Timestamp,
    state: &'static str,
}

impl<'a> Shown<'a> {
    pub(super) fn of(open: &'a IncompleteExport) -> Self {
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

/// The target of an export, as people write it.
pub(super) fn target_in_words(registry: &SinkRegistry, open: &IncompleteExport) -> String {
    let url = open.target_url().ok().flatten();
    output::plain(&url.map_or_else(
        || open.target().to_owned(),
        |url| target::shown(registry, &url),
    ))
}

/// Lists exports.
pub(super) fn list(
    open: &[IncompleteExport],
    json: bool,
    progress: &Progress,
) -> Result<(), Failure> {
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
