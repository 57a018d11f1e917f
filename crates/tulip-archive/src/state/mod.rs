//! Incomplete exports, remembered so that the next run can resume them.
//!
//! A [`StateStore`] keeps one record for each. [`MemoryStateStore`] lasts as long as the process;
//! the crate `tulip-ledger` has a store in a file.

mod claimed;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod incomplete;
mod memory;
mod record;
mod store;
mod unremembered;

pub(crate) use claimed::{ClaimedRecord, RecordOutcome};
pub use error::{StateError, StateErrorKind};
pub use incomplete::{DiscardError, IncompleteExport};
pub use memory::MemoryStateStore;
pub(crate) use record::{
    Identity, PendingReceipt, RecordedSettings, StagedObject, StagedPart, StartState,
};
pub use store::{Claim, ClaimOutcome, Holder, StateStore, StoredRecord};
pub(crate) use unremembered::Unremembered;
