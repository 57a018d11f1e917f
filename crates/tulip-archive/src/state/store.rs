//! The [`StateStore`] trait.

use std::fmt;

use tulip_core::Timestamp;
use tulip_core::sink::async_trait;

use super::StateError;

/// Keeps the records of incomplete exports, so that another run can resume them.
///
/// A record is a text of at most a few kilobytes that is opaque to the store. Its id consists of
/// the characters `0-9a-f`. A process works on a record only while it holds a claim of it.
///
/// # Contract
/// - At most one claim of a record is in force. It ends with [`StateStore::release`], with
///   [`StateStore::remove`], or with the process, however that ends.
/// - Each claim has a higher [`Claim::attempt`] than every earlier one of that record, even if the
///   record was removed in between. A call with a claim that is not in force changes nothing and
///   fails as [`Fenced`](super::StateErrorKind::Fenced), so a process that was taken for dead can
///   do no harm when it continues.
/// - Calls with the same claim take effect in the order in which they are made. Dropping a call's
///   future does not undo it, except that a claim whose future is dropped is released.
/// - Data saved as durable survives a power loss; other data survives at least the process.
///
/// The suite in `state::conformance`, behind the feature `conformance`, checks this.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Claims the record `id` for this process. If there is none, stores and claims `new`, if
    /// given.
    ///
    /// # Errors
    /// [`StateError`] if the store cannot be read or written.
    async fn claim(&self, id: &str, new: Option<String>) -> Result<ClaimOutcome, StateError>;

    /// Checks that a claim is in force, without writing anything.
    ///
    /// # Errors
    /// [`StateError`]; if [`StateError::is_fenced`], the claim is no longer in force.
    async fn check(&self, claim: &Claim) -> Result<(), StateError>;

    /// Replaces a record. `durable` is for data that must survive even a power loss.
    ///
    /// # Errors
    /// [`StateError`]; if [`StateError::is_fenced`], the claim is no longer in force.
    async fn save(&self, claim: &Claim, record: String, durable: bool) -> Result<(), StateError>;

    /// Removes a record, which ends the claim.
    ///
    /// # Errors
    /// [`StateError`]; if [`StateError::is_fenced`], the claim is no longer in force.
    async fn remove(&self, claim: &Claim) -> Result<(), StateError>;

    /// Ends the claim and leaves the record for another. Returns at once; a later call to claim it
    /// from the same process finds the record free.
    fn release(&self, claim: Claim);

    /// Lists all records, in any order.
    ///
    /// # Errors
    /// [`StateError`] if they cannot be read.
    async fn list(&self) -> Result<Vec<StoredRecord>, StateError>;
}

/// A process's claim of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    id: String,
    attempt: u64,
}

impl Claim {
    /// Creates a claim of the record `id` with this attempt number, for implementers of
    /// [`StateStore`].
    pub fn new(id: impl Into<String>, attempt: u64) -> Self {
        let id = id.into();
        Self { id, attempt }
    }

    /// The id of the record.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A number that is higher with each claim of the record.
    #[must_use]
    pub fn attempt(&self) -> u64 {
        self.attempt
    }
}

/// The result of claiming a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The record existed, and is now claimed.
    Found {
        /// The claim, which every write to the record needs.
        claim: Claim,
        /// The record as last saved.
        record: String,
    },
    /// The record was created, and is claimed.
    Created(Claim),
    /// The record is already claimed, by this [`Holder`] if the store knows it.
    Busy(Option<Holder>),
    /// There is no record, and no new one was given.
    Missing,
}

/// A process that holds a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// The name of the machine or container.
    pub host: String,
    /// The time at which it opened the store.
    pub since: Timestamp,
}

impl Holder {
    /// The process with this id on `host`, which opened the store at `since`.
    pub fn new(pid: u32, host: impl Into<String>, since: Timestamp) -> Self {
        let host = host.into();
        Self { pid, host, since }
    }
}

/// `process 4711 on plant-7 since 2026-11-28T01:00:00Z`
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, host, since } = self;
        write!(f, "process {pid} on {host} since {since}")
    }
}

/// A record, as returned by [`StateStore::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Its id.
    pub id: String,
    /// The record as last saved.
    pub record: String,
    /// Whether a process has claimed it.
    pub is_claimed: bool,
}

impl StoredRecord {
    /// Creates a record that no process has claimed.
    #[must_use]
    pub fn new(id: String, record: String) -> Self {
        Self {
            id,
            record,
            is_claimed: false,
        }
    }

    /// Sets whether a process has claimed it.
    #[must_use]
    pub fn with_claimed(mut self, is_claimed: bool) -> Self {
        self.is_claimed = is_claimed;
        self
    }
}
