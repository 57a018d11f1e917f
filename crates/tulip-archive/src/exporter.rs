//! Setting up exports.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tulip_core::sink::{
    ConnectOptions, Probe, RegistryError, Sink, SinkError, SinkErrorKind, SinkRegistry, SinkUrl,
    SinkUrlError, WriteMode,
};
use tulip_core::{ChecksumAlgorithm, ObjectKey};
use tulip_http::Client;

use serde::{Deserialize, Serialize};

use crate::poll::PollPolicy;
use crate::{
    Export, ExportError, ExportErrorKind, FinalLineBreak, KeyTemplate, OpenExport, Source,
    StateStore, parse_target,
};

/// What to do when an object is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IfExists {
    /// Replace it, at once and whole.
    #[default]
    Overwrite,
    /// Leave it, and call that a success.
    Skip,
    /// Leave it, and call that a failure.
    Fail,
}

/// Exports archives from one Tulip instance to one sink. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Exporter {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) name: Option<KeyTemplate>,
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) if_exists: IfExists,
    pub(crate) final_line_break: FinalLineBreak,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) poll: PollPolicy,
    pub(crate) state: Option<StateStore>,
    pub(crate) resume_within: Duration,
    /// Where archives go: the same place is the same text.
    pub(crate) target: String,
    /// The URL of that, without anything that could be a secret.
    pub(crate) url: Option<String>,
    /// What the sink was found to be able to do, once it was probed.
    pub(crate) probed: OnceCell<Probe>,
}

impl Exporter {
    /// Begins an exporter for `client`'s instance.
    #[must_use]
    pub fn builder(client: Client) -> ExporterBuilder {
        ExporterBuilder {
            client,
            target: Target::Missing,
            sink_options: Vec::new(),
            registry: None,
            name: None,
            algorithm: ChecksumAlgorithm::default(),
            if_exists: IfExists::default(),
            final_line_break: FinalLineBreak::default(),
            max_bytes: None,
            poll: PollPolicy::default(),
            state: None,
            resume_within: Duration::from_secs(12 * 3600),
        }
    }

    /// The export of one archive; await it to run it.
    pub fn export(&self, source: Source) -> Export {
        Export::new(self.clone(), source)
    }

    /// An export that an earlier run has left open, whatever else this exporter is set up for; it
    /// must go to the same target, which [`OpenExport::apply`] and [`OpenExport::target_url`] tell.
    /// It goes on with the job that was started, however old that is, and ends with
    /// [`ExportErrorKind::NotOpen`] where another run has finished it meanwhile. `None` where it does
    /// not tell what it exports.
    pub fn resume(&self, open: &OpenExport) -> Option<Export> {
        let source = open.source()?;
        Some(Export::new(self.clone(), source).of(open.identity().clone()))
    }

    /// The sink that archives go to.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn Sink> {
        &self.shared.sink
    }

    /// Whether open exports are remembered, in a [`StateStore`].
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.shared.state.is_some()
    }

    /// Checks that the sink can be written, unless an earlier check has shown it, and tells what
    /// the store can do there. Every export does this before it starts a job.
    ///
    /// # Errors
    /// [`ExportError`] of kind [`ExportErrorKind::Sink`].
    pub async fn probe(&self) -> Result<Probe, ExportError> {
        let shared = &self.shared;
        let mode = match shared.if_exists {
            IfExists::Overwrite => WriteMode::Overwrite,
            IfExists::Skip | IfExists::Fail => WriteMode::Create,
        };
        let probed = shared.probed.get_or_try_init(|| shared.sink.probe(mode));
        let probed = probed.await.copied();
        probed.map_err(|error| ExportError::sink("the sink cannot be used", error))
    }
}

enum Target {
    Missing,
    Text(String),
    Url(SinkUrl),
    Sink(Arc<dyn Sink>),
}

/// Sets up an [`Exporter`].
pub struct ExporterBuilder {
    client: Client,
    target: Target,
    sink_options: Vec<(String, String)>,
    registry: Option<SinkRegistry>,
    name: Option<KeyTemplate>,
    algorithm: ChecksumAlgorithm,
    if_exists: IfExists,
    final_line_break: FinalLineBreak,
    max_bytes: Option<u64>,
    poll: PollPolicy,
    state: Option<StateStore>,
    resume_within: Duration,
}

impl ExporterBuilder {
    /// Where archives go: a path or a URL, see [`parse_target`].
    #[must_use]
    pub fn to(mut self, target: impl Into<String>) -> Self {
        self.target = Target::Text(target.into());
        self
    }

    /// Where archives go, as a URL.
    #[must_use]
    pub fn to_url(mut self, url: SinkUrl) -> Self {
        self.target = Target::Url(url);
        self
    }

    /// Where archives go, as a sink that is there already.
    #[must_use]
    pub fn to_sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.target = Target::Sink(sink);
        self
    }

    /// One more option of the target, as if it stood in the URL's query; `tulip sinks` lists what
    /// each sink takes.
    #[must_use]
    pub fn sink_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sink_options.push((name.into(), value.into()));
        self
    }

    /// How many bytes of archives the sink may hold in memory, instead of its default: the option
    /// `memory` of every built-in sink. More lets more parts be on their way at once.
    #[must_use]
    pub fn memory(self, bytes: u64) -> Self {
        self.sink_option("memory", bytes.to_string())
    }

    /// The sinks that URLs are looked up in; by default [`SinkRegistry::linked`].
    #[must_use]
    pub fn registry(mut self, registry: SinkRegistry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// How objects are named; by default [`KeyTemplate::default_for`] the source.
    #[must_use]
    pub fn name(mut self, template: KeyTemplate) -> Self {
        self.name = Some(template);
        self
    }

    /// How the checksum is computed; by default CRC-64/NVME.
    #[must_use]
    pub fn checksum(mut self, algorithm: ChecksumAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What to do when an object is there already; by default it is replaced.
    #[must_use]
    pub fn if_exists(mut self, rule: IfExists) -> Self {
        self.if_exists = rule;
        self
    }

    /// Whether an archive must end with a line break; by default it must.
    #[must_use]
    pub fn final_line_break(mut self, rule: FinalLineBreak) -> Self {
        self.final_line_break = rule;
        self
    }

    /// The most bytes that an archive may have; one with more ends its export, before the first
    /// byte where its host announces the length. By default there is no such limit.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How often and how long jobs are waited for.
    #[must_use]
    pub fn poll(mut self, policy: PollPolicy) -> Self {
        self.poll = policy;
        self
    }

    /// Remembers open exports in `store`, so that another run can go on with them. By default nothing
    /// is remembered. What cannot be written there ends no export, and is logged.
    #[must_use]
    pub fn state(mut self, store: StateStore) -> Self {
        self.state = Some(store);
        self
    }

    /// How old a job that an earlier run has started for a machine may be to be gone on with; one
    /// that is older is left alone, and another started. By default 12 hours: a nightly export
    /// should not bring the archive of the night before.
    #[must_use]
    pub fn resume_within(mut self, age: Duration) -> Self {
        self.resume_within = age;
        self
    }

    /// Makes the exporter. Whether the sink can be written is checked by the first export, or by
    /// [`Exporter::probe`].
    ///
    /// # Errors
    /// [`ExportError`] of kind [`ExportErrorKind::InvalidRequest`] when no target is set, it
    /// cannot be used, no sink has its scheme, or the sink cannot do what `if_exists` asks for.
    pub async fn build(self) -> Result<Exporter, ExportError> {
        let network = self.client.connect_options();
        let url = match self.target {
            Target::Sink(sink) if self.sink_options.is_empty() => Err(sink),
            Target::Sink(_) => {
                let what = "sink options go with a URL; a sink that is there already has its own";
                return Err(ExportError::new(ExportErrorKind::InvalidRequest, what));
            }
            Target::Url(url) => Ok(url),
            Target::Text(text) => Ok(parse_target(&text)?),
            Target::Missing => {
                let what = "no target: say where archives go with .to(…)";
                return Err(ExportError::new(ExportErrorKind::InvalidRequest, what));
            }
        };
        let (sink, target, url) = match url {
            Ok(url) => {
                let registry = match self.registry {
                    Some(registry) => registry,
                    None => SinkRegistry::linked()?,
                };
                let options = self.sink_options.iter();
                let url = options.fold(url, |url, (name, value)| url.with_option(name, value));
                let public = registry.without_secrets(&url);
                let place = registry.identity(&url).expose().to_string();
                let sink = connect(&registry, &url, network).await?;
                (sink, place, Some(public.expose().to_string()))
            }
            Err(sink) => {
                let target = match ObjectKey::new("_") {
                    Ok(key) => format!("{}: {}", sink.scheme(), sink.location(&key)),
                    Err(_) => sink.scheme().to_owned(),
                };
                (sink, target, None)
            }
        };
        let can = sink.capabilities();
        let cannot = match self.if_exists {
            IfExists::Skip if !can.lookup => "cannot tell whether an object exists",
            IfExists::Fail if !can.lookup && !can.atomic_create => "cannot keep an existing object",
            _ => "",
        };
        if !cannot.is_empty() {
            let what = format!(
                "the {} sink {cannot}; objects can only be overwritten",
                sink.scheme()
            );
            return Err(ExportError::new(ExportErrorKind::InvalidRequest, what));
        }
        Ok(Exporter {
            shared: Arc::new(Shared {
                client: self.client,
                sink,
                name: self.name,
                algorithm: self.algorithm,
                if_exists: self.if_exists,
                final_line_break: self.final_line_break,
                max_bytes: self.max_bytes,
                poll: self.poll,
                state: self.state,
                resume_within: self.resume_within,
                target,
                url,
                probed: OnceCell::new(),
            }),
        })
    }
}

async fn connect(
    registry: &SinkRegistry,
    url: &SinkUrl,
    network: &ConnectOptions,
) -> Result<Arc<dyn Sink>, ExportError> {
    let connected = registry.connect(url, network).await;
    connected.map_err(|error: SinkError| {
        let kind = match error.kind() {
            SinkErrorKind::InvalidTarget => ExportErrorKind::InvalidRequest,
            _ => ExportErrorKind::Sink,
        };
        ExportError::new(kind, "the target cannot be used").with_cause(error)
    })
}

impl fmt::Debug for ExporterBuilder {
    /// Shows neither the options of the target nor what a text that may be its URL holds: they can
    /// be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match &self.target {
            Target::Missing => "none".to_owned(),
            Target::Text(text) => {
                parse_target(text).map_or("unusable".to_owned(), |url| url.to_string())
            }
            Target::Url(url) => url.to_string(),
            Target::Sink(sink) => format!("{sink:?}"),
        };
        let options = self.sink_options.iter().map(|(name, _)| name);
        f.debug_struct("ExporterBuilder")
            .field("client", &self.client)
            .field("target", &target)
            .field("sink_options", &options.collect::<Vec<_>>())
            .field("name", &self.name)
            .field("if_exists", &self.if_exists)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl From<RegistryError> for ExportError {
    fn from(error: RegistryError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<SinkUrlError> for ExportError {
    fn from(error: SinkUrlError) -> Self {
        Self::new(ExportErrorKind::InvalidRequest, error.to_string())
    }
}
