//! Incomplete exports, remembered so that the next run can resume them.

mod entry;
mod error;
mod journal;
mod record;
mod store;

pub(crate) use entry::Entry;
pub use error::StateError;
pub(crate) use record::{Identity, PendingReceipt, Settings, StagedObject, StagedPart, Start};
pub(crate) use store::Found;
pub use store::{DiscardError, IncompleteExport, StateStore};
