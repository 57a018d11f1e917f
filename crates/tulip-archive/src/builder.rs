//! The builder of exporters.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tulip_core::NetworkOptions;
use tulip_core::sink::{Sink, SinkRegistry, SinkUrl};
use tulip_core::{ChecksumAlgorithm, ObjectKey};
use tulip_http::Client;

use crate::poll::PollPolicy;
use crate::setup::Setup;
use crate::state::Unremembered;
use crate::{
    ExportError, ExportErrorKind, Exporter, FinalLineBreak, FramingRules, IfExists,
    IncompleteExport, KeyTemplate, RaggedRecords, StateStore, parse_target,
};

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
    repairs: bool,
    framing: FramingRules,
    allow_empty: bool,
    max_bytes: Option<u64>,
    poll: PollPolicy,
    state: Option<Arc<dyn StateStore>>,
    resume_within: Duration,
}

impl ExporterBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            target: Target::Missing,
            sink_options: Vec::new(),
            registry: None,
            name: None,
            algorithm: ChecksumAlgorithm::default(),
            if_exists: IfExists::default(),
            repairs: false,
            framing: FramingRules::default(),
            allow_empty: false,
            max_bytes: None,
            poll: PollPolicy::default(),
            state: None,
            resume_within: Duration::from_secs(12 * 3600),
        }
    }

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

    /// Where archives go, as an existing sink. An incomplete export is found again by the sink's
    /// scheme and [`Sink::location`], which must be unique to the place and the same in every
    /// process.
    #[must_use]
    pub fn to_sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.target = Target::Sink(sink);
        self
    }

    /// Adds an option of the target, as if it were in the URL's query.
    /// [`SinkFactory::options`](tulip_core::sink::SinkFactory::options) lists a sink's options. An
    /// unknown or repeated option makes [`ExporterBuilder::build`] fail, and with
    /// [`ExporterBuilder::to_sink`] any option does.
    #[must_use]
    pub fn sink_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sink_options.push((name.into(), value.into()));
        self
    }

    /// How many bytes of archives the sink may hold in memory: the option `memory` of every
    /// built-in sink. With more memory, more parts can be in flight at once. The minimum is 1 MiB
    /// for local files and 5 MiB for object stores; the defaults are 6 MiB and 40 MiB.
    ///
    /// [`ExporterBuilder::build`] fails with less than the minimum or than one part, for a sink
    /// that has no option `memory`, and with [`ExporterBuilder::to_sink`].
    #[must_use]
    pub fn memory(self, bytes: u64) -> Self {
        self.sink_option("memory", bytes.to_string())
    }

    /// The registry in which to look up URLs; by default [`SinkRegistry::linked`].
    #[must_use]
    pub fn registry(mut self, registry: SinkRegistry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The template for object keys; by default [`KeyTemplate::default_for`] the source.
    #[must_use]
    pub fn name(mut self, template: KeyTemplate) -> Self {
        self.name = Some(template);
        self
    }

    /// The checksum algorithm; by default CRC-64/NVME.
    #[must_use]
    pub fn checksum(mut self, algorithm: ChecksumAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What to do if an object already exists; by default it is replaced.
    #[must_use]
    pub fn if_exists(mut self, rule: IfExists) -> Self {
        self.if_exists = rule;
        self
    }

    /// Whether an archive must end with a line break; by default it must. It always must if its
    /// host does not announce the length.
    #[must_use]
    pub fn final_line_break(mut self, rule: FinalLineBreak) -> Self {
        self.framing.final_line_break = rule;
        self
    }

    /// Whether an archive's last record may have a different number of fields than the header. By
    /// default it may not, because a service that fails midway appends its error to what it has
    /// sent.
    #[must_use]
    pub fn ragged_records(mut self, rule: RaggedRecords) -> Self {
        self.framing.ragged = rule;
        self
    }

    /// Whether an archive without records may replace one whose receipt counts some. By default it
    /// may not, and the export fails with [`ExportErrorKind::EmptyArchive`]. An archive without
    /// records that replaces nothing, or another empty one, is always stored.
    #[must_use]
    pub fn allow_empty(mut self, allow: bool) -> Self {
        self.allow_empty = allow;
        self
    }

    /// The maximum size of an archive in bytes; unlimited by default. The export of a larger
    /// archive fails, before its first byte if the host announces the length.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How often and for how long jobs are polled.
    #[must_use]
    pub fn poll(mut self, policy: PollPolicy) -> Self {
        self.poll = policy;
        self
    }

    /// Takes over the settings of an incomplete export: its name template or the default, checksum,
    /// the rules for existing objects and for the archive, and its limit of bytes, if it had one.
    /// Calls after this override them. Its target is [`IncompleteExport::target_url`].
    #[must_use]
    pub fn settings_of(mut self, open: &IncompleteExport) -> Self {
        let settings = open.settings();
        self.algorithm = settings.digest;
        self.if_exists = settings.if_exists;
        self.repairs = settings.repairs;
        self.framing = settings.framing;
        self.allow_empty = settings.allow_empty;
        self.max_bytes = settings.max_bytes.or(self.max_bytes);
        let name = open.identity().name.as_deref();
        self.name = name.and_then(|name| KeyTemplate::parse(name).ok());
        self
    }

    /// Remembers incomplete exports in `store`, so that another run can resume them. By default
    /// nothing is remembered. A failed write to the store is logged and does not fail the export.
    #[must_use]
    pub fn state(mut self, store: Arc<dyn StateStore>) -> Self {
        self.state = Some(store);
        self
    }

    /// How long after an export began another run may resume its job. An older job is left alone
    /// and another is started. By default 12 hours, so that a nightly export does not store the
    /// archive of the night before.
    #[must_use]
    pub fn resume_within(mut self, age: Duration) -> Self {
        self.resume_within = age;
        self
    }

    /// Builds the exporter. The first export, or [`Exporter::probe`], checks whether the sink is
    /// writable.
    ///
    /// # Errors
    /// [`ExportError`] of kind [`ExportErrorKind::InvalidRequest`] if no target is set, it or an
    /// option cannot be used, no sink has its scheme, or the sink does not support the `if_exists`
    /// rule.
    pub async fn build(self) -> Result<Exporter, ExportError> {
        let network = self.client.network_options();
        let url = match self.target {
            Target::Sink(sink) if self.sink_options.is_empty() => Err(sink),
            Target::Sink(_) => {
                let what = "sink options need a target URL: they cannot be added to a sink that is already built";
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
        let setup = Setup {
            client: self.client,
            sink,
            name: self.name,
            algorithm: self.algorithm,
            if_exists: self.if_exists,
            repairs: self.repairs,
            framing: self.framing,
            allow_empty: self.allow_empty,
            max_bytes: self.max_bytes,
            poll: self.poll,
            state: self.state,
            unremembered: Unremembered::default(),
            resume_within: self.resume_within,
            target,
            url,
            probed: OnceCell::new(),
        };
        setup.check_if_exists(setup.sink.capabilities())?;
        Ok(Exporter {
            setup: Arc::new(setup),
        })
    }
}

async fn connect(
    registry: &SinkRegistry,
    url: &SinkUrl,
    network: &NetworkOptions,
) -> Result<Arc<dyn Sink>, ExportError> {
    let connected = registry.connect(url, network).await;
    connected.map_err(ExportError::target)
}

impl fmt::Debug for ExporterBuilder {
    /// Hides the values of the target's options, and a target text that cannot be parsed: both can
    /// contain secrets.
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
