//! The state that all exports of an exporter share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tulip_core::sink::{Capabilities, Probe, Sink, StoredObject, WriteMode};
use tulip_core::{ChecksumAlgorithm, ObjectKey};
use tulip_http::Client;

use crate::inspect::Inspector;
use crate::poll::PollPolicy;
use crate::state::Unremembered;
use crate::{
    ExportError, ExportErrorKind, FinalLineBreak, FramingRules, IfExists, KeyTemplate, StateStore,
};

/// The settings of exports, their sink, and its capabilities.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) name: Option<KeyTemplate>,
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) if_exists: IfExists,
    /// Whether the stored object was found to be damaged, so that its receipt proves nothing.
    pub(crate) repairs: bool,
    pub(crate) framing: FramingRules,
    pub(crate) allow_empty: bool,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) poll: PollPolicy,
    pub(crate) state: Option<Arc<dyn StateStore>>,
    pub(crate) unremembered: Unremembered,
    pub(crate) resume_within: Duration,
    /// The canonical target, for comparing exports.
    pub(crate) target: String,
    /// The target's URL, without anything that could be a secret.
    pub(crate) url: Option<String>,
    /// The result of probing the sink, once that has succeeded.
    pub(crate) probed: OnceCell<Probe>,
}

impl Setup {
    /// Creates an inspector of the archive. Only an announced length shows that nothing is missing
    /// after the last record, so without one the final line break is required.
    pub(crate) fn inspector(&self, length: Option<u64>) -> Inspector {
        let rules = match length {
            Some(_) => self.framing,
            None => self.framing.with_final_line_break(FinalLineBreak::Required),
        };
        Inspector::new(self.algorithm, rules)
    }

    /// Whether an existing object is kept and the export succeeds.
    pub(crate) fn skips(&self) -> bool {
        self.if_exists == IfExists::Skip
    }

    /// Checks that the sink is writable, unless an earlier check has succeeded, and returns the
    /// store's capabilities.
    pub(crate) async fn probe(&self) -> Result<Probe, ExportError> {
        self.probed
            .get_or_try_init(|| self.probe_now())
            .await
            .copied()
    }

    /// Like [`Self::probe`], but whatever earlier checks have shown.
    pub(crate) async fn probe_now(&self) -> Result<Probe, ExportError> {
        let mode = match self.if_exists {
            IfExists::Overwrite => WriteMode::Overwrite,
            IfExists::Skip | IfExists::Fail => WriteMode::Create,
        };
        let probed = self.sink.probe(mode).await;
        probed.map_err(|error| ExportError::sink("cannot use the sink", error))
    }

    /// Looks up the object at `key`.
    pub(crate) async fn lookup(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<StoredObject>, ExportError> {
        let found = self.sink.lookup(key).await;
        found.map_err(|error| ExportError::sink("could not look up the object", error))
    }

    /// Refuses an `if_exists` rule that a sink with these capabilities cannot enforce.
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
