//! The clients of one store, and how it is asked not to replace an object.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;

use super::destination::StoreClient;
use super::stale_uploads::StaleUploads;

/// The clients of one store, and what is peculiar to it.
pub(super) struct Clients {
    pub(super) store: StoreClient,
    pub(super) lister: Arc<dyn PaginatedListStore>,
    /// The same store with fewer retries, for probes and lookups that somebody waits for.
    pub(super) fail_fast: Arc<dyn ObjectStore>,
    /// Whether asking for an upload asks the store for nothing; only a part does.
    pub(super) probe_needs_part: bool,
    pub(super) create_only: CreateOnly,
    /// Uploads that nobody has ended; `None` where the store sees to them by itself.
    pub(super) stale_uploads: Option<StaleUploads>,
    /// Whether metadata names may have hyphens.
    pub(super) hyphens: bool,
}

/// How a store is asked not to replace an object.
pub(super) struct CreateOnly {
    pub(super) rule: CreateRule,
    /// The store, on a way that makes the end of an upload create-only.
    pub(super) store: StoreClient,
    /// Uploads go to another name and are copied from there, because their end cannot be made
    /// create-only.
    pub(super) copies: bool,
}

/// Whether a store keeps create-only requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreateRule {
    Always,
    Never,
    /// Some that speak the protocol ignore the condition and replace the object: it is tried.
    Try,
}
