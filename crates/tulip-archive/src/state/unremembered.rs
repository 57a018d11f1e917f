//! A warning, logged once, that the state cannot be saved.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{debug, warn};

use super::StateError;

/// Warns that the state cannot be written. All exports of an exporter share it, so that a full disk
/// leads to one warning, however many exports it affects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unremembered(Arc<AtomicBool>);

impl Unremembered {
    pub(crate) fn tell(&self, error: &StateError) {
        let cause = error.source().map(ToString::to_string);
        let cause = cause.unwrap_or_default();
        let kind = error.kind();
        if self.0.swap(true, Ordering::Relaxed) {
            debug!(%error, cause, ?kind, "not remembered");
            return;
        }
        warn!(%error, cause, ?kind, "this run cannot be resumed later: {error}: {cause}");
    }
}
