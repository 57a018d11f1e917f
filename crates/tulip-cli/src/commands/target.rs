//! Targets, and the network options to connect to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tulip_archive::{ExportError, parse_target};
use tulip_core::NetworkOptions;
use tulip_core::sink::{Sink, SinkErrorKind, SinkRegistry, SinkUrl};

use crate::args::{Connection, SinkSettings};
use crate::failure::{Code, Failure, chain};
use crate::{stdout, values};

/// A required target, from the command line or the config file.
pub(crate) fn named<'a>(text: Option<&'a str>, how: &str) -> Result<&'a str, Failure> {
    text.ok_or_else(|| {
        let hint = format!("name it {how}, or with `to` in a config file");
        Failure::usage("no target").with_hint(hint)
    })
}

/// Parses a target, and adds the options of other flags. `-` is standard output.
pub(crate) fn url(text: &str, settings: &SinkSettings) -> Result<SinkUrl, Failure> {
    let url = match text.trim() {
        "-" => stdout::url(),
        _ => parse_target(text),
    };
    let mut url = url.map_err(ExportError::from)?;
    for (name, value) in settings.all().map_err(Failure::usage)? {
        url = url.with_option(&name, &value);
    }
    Ok(url)
}

/// A target as people write it: its path if it is local and has no options, otherwise its URL.
pub(crate) fn shown(registry: &SinkRegistry, url: &SinkUrl) -> String {
    let path = url
        .to_file_path()
        .filter(|_| url.options().next().is_none());
    path.map_or_else(|| registry.shown(url), |path| path.display().to_string())
}

/// The target of a run, in one spelling: runs to one target exclude each other, and compare with
/// earlier ones. Symlinks of a local path are resolved, as far as it exists.
pub(crate) fn of_run(registry: &SinkRegistry, url: &SinkUrl) -> String {
    let shown = shown(registry, url);
    if url.options().next().is_some() {
        return shown;
    }
    match url.to_file_path() {
        Some(path) => resolved(&path).display().to_string(),
        None => shown.trim_end_matches('/').to_owned(),
    }
}

fn resolved(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(path), ..) => path,
        (Err(_), Some(parent), Some(name)) => resolved(parent).join(name),
        (Err(_), ..) => path.to_owned(),
    }
}

/// Adds options to a remembered target. They replace its options of the same name.
pub(crate) fn with_options(url: SinkUrl, settings: &SinkSettings) -> Result<SinkUrl, Failure> {
    let options = settings.all().map_err(Failure::usage)?;
    Ok(options.iter().fold(url, |url, (name, value)| {
        url.without_option(name).with_option(name, value)
    }))
}

/// The network options with this CA file, or with that of the environment.
pub(crate) fn network(ca_file: Option<PathBuf>) -> NetworkOptions {
    let from_env = std::env::var_os("TULIP_CA_FILE").map(PathBuf::from);
    let ca_file = ca_file.or(from_env);
    let ca_file = ca_file.map(|path| values::unwrapped_path(path.as_os_str()));
    let mut network = NetworkOptions::default();
    network.ca_file = ca_file.filter(|path| !path.as_os_str().is_empty());
    network
}

/// The network options of a connection.
pub(crate) fn network_of(connection: &Connection) -> NetworkOptions {
    let mut network = network(connection.ca_file.clone());
    network.connect_timeout = connection.connect_timeout;
    network.read_timeout = connection.read_timeout;
    network
}

/// Creates the sink of `url`.
pub(crate) async fn connect(
    registry: &SinkRegistry,
    url: &SinkUrl,
    network: &NetworkOptions,
) -> Result<Arc<dyn Sink>, Failure> {
    registry.connect(url, network).await.map_err(|error| {
        let code = match error.kind() {
            SinkErrorKind::InvalidTarget => Code::Usage,
            _ => Code::Sink,
        };
        Failure::new(code, chain(&error))
    })
}
