//! The exporter.

use std::sync::Arc;

use tulip_core::ObjectKey;
use tulip_core::sink::{Probe, Sink, StoredObject};
use tulip_http::Client;

use crate::setup::Setup;
use crate::{
    Export, ExportError, ExporterBuilder, IfExists, IncompleteExport, KeyTemplate, Source,
    TemplateError,
};

/// Exports archives from one Tulip instance to one sink. Cloning is cheap.
///
/// Its futures, its exports and [`ExporterBuilder::build`] need a tokio runtime with time and I/O
/// enabled.
#[derive(Debug, Clone)]
pub struct Exporter {
    pub(crate) setup: Arc<Setup>,
}

impl Exporter {
    /// Returns a builder of an exporter for `client`'s instance.
    #[must_use]
    pub fn builder(client: Client) -> ExporterBuilder {
        ExporterBuilder::new(client)
    }

    /// Exports one archive. Await the returned [`Export`] to run it.
    pub fn export(&self, source: Source) -> Export {
        Export::new(self.setup.clone(), source, None)
    }

    /// Resumes an incomplete export of an earlier run, however old its job is. The exporter must
    /// have the same target and settings: see [`ExporterBuilder::settings_of`] and
    /// [`IncompleteExport::target_url`]. `None` if the record does not say what to export.
    ///
    /// If another process has finished or discarded it meanwhile, the export fails with
    /// [`ExportErrorKind::NothingToResume`](crate::ExportErrorKind::NothingToResume).
    pub fn resume(&self, open: &IncompleteExport) -> Option<Export> {
        let source = open.source()?;
        let identity = open.identity().clone();
        Some(Export::new(self.setup.clone(), source, Some(identity)))
    }

    /// The sink that archives go to.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn Sink> {
        &self.setup.sink
    }

    /// The template for object keys; `None` for [`KeyTemplate::default_for`] each source.
    #[must_use]
    pub fn key_template(&self) -> Option<&KeyTemplate> {
        self.setup.name.as_ref()
    }

    /// Returns the key that an export of `source` would get if it started now. A job that is not
    /// started yet appears in it as `JOB`.
    ///
    /// # Errors
    /// [`TemplateError`] if a field has no value or the key cannot be used.
    pub fn preview_key(&self, source: &Source) -> Result<ObjectKey, TemplateError> {
        let workspace = self.setup.client.workspace();
        let default = || KeyTemplate::default_for(source);
        let template = self.setup.name.clone().unwrap_or_else(default);
        template.preview_in(source, workspace)
    }

    /// Looks up the object at `key`.
    ///
    /// # Errors
    /// [`ExportError`] of the same kind as the sink's error.
    pub async fn lookup(&self, key: &ObjectKey) -> Result<Option<StoredObject>, ExportError> {
        self.setup.lookup(key).await
    }

    /// What to do if an object already exists.
    #[must_use]
    pub fn if_exists(&self) -> IfExists {
        self.setup.if_exists
    }

    /// Whether incomplete exports are remembered in a [`StateStore`](crate::StateStore).
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.setup.state.is_some()
    }

    /// Checks that the sink is writable, unless an earlier check has succeeded, and returns the
    /// store's capabilities. Every export does this before it starts a job.
    ///
    /// # Errors
    /// [`ExportError`] of the same kind as the sink's error.
    pub async fn probe(&self) -> Result<Probe, ExportError> {
        self.setup.probe().await
    }

    /// Checks again that the sink is writable, whatever earlier checks have shown: for a store that
    /// was down.
    ///
    /// # Errors
    /// [`ExportError`] of the same kind as the sink's error.
    pub async fn probe_again(&self) -> Result<Probe, ExportError> {
        self.setup.probe_now().await
    }
}
