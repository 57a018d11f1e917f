//! The [`StateStore`] trait.

use std::fmt;

use tulip_core::Timestamp;
use tulip_core::sink::async_trait;

use super::StateError;

/// Keeps the records of incomplete exports, so that another run can resume them.
///
/// A record is a text of at most some kilobytes that the store does not look into, under an id that
/// is made of the characters `0-9a-f`. A process works on a record only while it has claimed it.
///
/// # Contract
/// - At most one claim of a record is in force. It ends with [`StateStore::release`],
///   [`StateStore::remove`], or the process, however that ends.
/// - Each claim has a higher [`Claim::attempt`] than every earlier one of that record, also where the
/// record was removed in between. A call with a claim that is not in force changes nothing and
/// fails as [`Fenced`](super::StateErrorKind::Fenced). So a process that was taken for dead can do
/// no harm when it continues.
/// - Calls with one claim take effect in the order in which they are made. Dropping the future of one
///   does not undo it.
/// - What was saved as durable outlasts a loss of power, the rest at least the process.
///
/// The suite in `state::conformance`, behind the feature `conformance`, checks this.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Claims the record `id` for this process. Where there is none, `new` is stored and claimed,
    /// if it is given.
    ///
    /// # Errors
    /// [`StateError`] when the store cannot tell or write.
    async fn claim(&self, id: &str, new: Option<String>) -> Result<ClaimOutcome, StateError>;

    /// Tells whether a claim is in force, and writes nothing.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has it.
    async fn check(&self, claim: &Claim) -> Result<(), StateError>;

    /// Replaces a record. What must not be forgotten, whatever happens to the machine, is
    /// `durable`.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has it.
    async fn save(&self, claim: &Claim, record: String, durable: bool) -> Result<(), StateError>;

    /// Removes a record, which ends the claim.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has it.
    async fn remove(&self, claim: &Claim) -> Result<(), StateError>;

    /// Ends the claim and leaves the record for another. Returns at once; a claim of the same
    /// process that is asked for afterwards finds the record free.
    fn release(&self, claim: Claim);

    /// All records, in any order.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    async fn list(&self) -> Result<Vec<StoredRecord>, StateError>;
}

/// A record that belongs to this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    id: String,
    attempt: u64,
}

impl Claim {
    /// The claim of the record `id` with this attempt number, for implementers of [`StateStore`].
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

/// What comes of asking for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The record was there, and is ours now.
    Found {
        /// What every write to it needs.
        claim: Claim,
        /// The record as it was saved last.
        record: String,
    },
    /// The record was stored just now, and is ours.
    Created(Claim),
    /// A process works on it, if the store can tell which.
    Busy(Option<Holder>),
    /// There is none, and none was to be stored.
    Missing,
}

/// The process that works on something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its id in its system.
    pub pid: u32,
    /// The name of the machine or container.
    pub host: String,
    /// When it opened the store.
    pub since: Timestamp,
}

impl Holder {
    /// The process with this id on `host`, which has opened the store at `since`.
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

/// A record, as [`StateStore::list`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Its id.
    pub id: String,
    /// The record as it was saved last.
    pub record: String,
    /// Whether a process works on it.
    pub is_claimed: bool,
}

impl StoredRecord {
    /// A record that no process works on.
    #[must_use]
    pub fn new(id: String, record: String) -> Self {
        Self {
            id,
            record,
            is_claimed: false,
        }
    }

    /// The same record, and whether a process works on it.
    #[must_use]
    pub fn with_claimed(mut self, is_claimed: bool) -> Self {
        self.is_claimed = is_claimed;
        self
    }
}
