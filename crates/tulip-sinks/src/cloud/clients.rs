//! The clients of one store, and how it is asked not to replace an object.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;

use super::destination::StoreClient;
use super::stale_uploads::StaleUploads;

/// The clients of one store, and its peculiarities.
pub(super) struct Clients {
    pub(super) store: StoreClient,
    pub(super) lister: Arc<dyn PaginatedListStore>,
    /// The same store with fewer retries, for probes and to check whether an object has arrived.
    pub(super) fail_fast: Arc<dyn ObjectStore>,
    /// Whether creating an upload sends no request, so that a probe has to send a part.
    pub(super) probe_needs_part: bool,
    pub(super) create_only: CreateOnlyClient,
    /// Unfinished uploads. `None` if the store removes them itself.
    pub(super) stale_uploads: Option<StaleUploads>,
    /// Whether metadata names may have hyphens.
    pub(super) hyphens: bool,
}

/// How a store is asked not to replace an object.
pub(super) struct CreateOnlyClient {
    pub(super) rule: CreateRule,
    /// A client that makes the completion of an upload create-only, unless `copies`.
    pub(super) store: StoreClient,
    /// Whether uploads go to another name and are copied from there, because their completion
    /// cannot be made create-only.
    pub(super) copies: bool,
}

/// Whether a store honours create-only requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreateRule {
    Always,
    Never,
    /// It has to be tried: some compatible stores ignore the condition and replace the object.
    Try,
}
