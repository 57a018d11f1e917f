//! What all exports of one kind share.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tulip_core::ChecksumAlgorithm;
use tulip_core::sink::{Capabilities, Probe, Sink, WriteMode};
use tulip_http::Client;

use crate::poll::PollPolicy;
use crate::{
    Export, ExportError, ExportErrorKind, ExporterBuilder, FramingRules, KeyTemplate, OpenExport,
    Source, StateStore,
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
    pub(crate) framing: FramingRules,
    pub(crate) allow_empty: bool,
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
        ExporterBuilder::new(client)
    }

    /// The export of one archive; await it to run it.
    pub fn export(&self, source: Source) -> Export {
        Export::new(self.clone(), source, None)
    }

    /// An export that an earlier run has left open, whatever else this exporter is set up for; it
    /// must go to the same target, which [`OpenExport::apply`] and [`OpenExport::target_url`] tell.
    /// It goes on with the job that was started, however old that is, and ends with
    /// [`ExportErrorKind::NotIncomplete`] where another run has finished it meanwhile. `None` where it does
    /// not tell what it exports.
    pub fn resume(&self, open: &OpenExport) -> Option<Export> {
        let source = open.source()?;
        let identity = open.identity().clone();
        Some(Export::new(self.clone(), source, Some(identity)))
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
    /// [`ExportError`] of the kind that the sink's error has.
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

impl Shared {
    /// Refuses a rule for existing objects that a sink with these capabilities cannot keep.
    pub(crate) fn check_if_exists(&self, can: Capabilities) -> Result<(), ExportError> {
        let cannot = match self.if_exists {
            IfExists::Skip if !can.lookup => "cannot tell whether an object exists",
            IfExists::Fail if !can.lookup && !can.atomic_create => "cannot keep an existing object",
            _ => return Ok(()),
        };
        let scheme = self.sink.scheme();
        let what = format!("the {scheme} sink {cannot}; objects can only be overwritten");
        Err(ExportError::new(ExportErrorKind::InvalidRequest, what))
    }
}
