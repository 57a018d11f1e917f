//! The contract of what keeps runs.

use std::fmt;

use tulip_archive::core::Timestamp;
use tulip_archive::core::sink::async_trait;
use tulip_archive::state::{Claim, Holder, StateError};

use crate::{Counts, ItemSummary, RunEnd, RunSummary};

/// Keeps runs with their exports, so that one that ended early can be continued, and two runs do
/// not do the same work at the same time.
///
/// Exports are known by [`ItemSummary::id`]. A process works on a run only while it has claimed it.
///
/// # Contract
/// - At most one claim of a run is in force. It ends with [`Ledger::end`], [`Ledger::release`], or
///   the process, however that ends.
/// - Two runs to one target that have an export in common are never claimed at the same time.
/// - Each claim has a higher [`Claim::attempt`] than every earlier one. A call with a claim that is
///   not in force changes nothing and fails as
///   [`Fenced`](tulip_archive::StateErrorKind::Fenced).
/// - Calls with one claim take effect in the order in which they are made. Dropping the future of one
///   does not undo it.
/// - What was recorded outlasts the process at least.
///
/// The suite in `ledger::conformance`, behind the feature `conformance`, checks this.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Claims a run for this process: the one that it continues, or a new one.
    ///
    /// A run that is continued keeps its exports that are stored or unchanged. Others that are
    /// planned again stay as they were left until they are recorded, so that no job of theirs is
    /// forgotten; those that are not are removed.
    ///
    /// # Errors
    /// [`StateError`] when the ledger cannot tell or write.
    async fn begin(&self, new: NewRun) -> Result<BeginOutcome, StateError>;

    /// Tells whether a claim is in force. Asked before each start, so that a process that was taken
    /// for dead starts nothing more.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has the run.
    async fn check(&self, claim: &Claim) -> Result<(), StateError>;

    /// Records what has become of an export, in the place of what was recorded before.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has the run.
    async fn record(&self, claim: &Claim, item: ItemSummary) -> Result<(), StateError>;

    /// Records how a run has ended, which ends the claim.
    ///
    /// # Errors
    /// [`StateError`], of which [`StateError::is_fenced`] says that another process has the run.
    async fn end(
        &self,
        claim: &Claim,
        end: RunEnd,
        reason: Option<String>,
    ) -> Result<(), StateError>;

    /// Ends the claim and leaves the run for another. Returns at once; what the same process asks
    /// for afterwards finds the run free.
    fn release(&self, claim: Claim);

    /// All runs, the latest first.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    async fn runs(&self) -> Result<Vec<RunOverview>, StateError>;

    /// A run with all its exports, or `None` where there is none of this id.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be read.
    async fn run(&self, id: &str) -> Result<Option<RunSummary>, StateError>;

    /// Removes a run with its exports; `false` where there is none, or a process works on it.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be removed.
    async fn remove(&self, id: &str) -> Result<bool, StateError>;
}

/// A run that is to begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// The run with the exports that are planned: [`Plan::summaries`](crate::Plan::summaries).
    pub run: RunSummary,
    /// A canonical form of the command: equal commands continue each other's runs.
    pub command: String,
    /// Which earlier run it continues.
    pub continues: Continue,
}

impl NewRun {
    /// A run that continues no other.
    pub fn new(run: RunSummary, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            run,
            command,
            continues: Continue::Nothing,
        }
    }

    /// The same run, where it continues an earlier one if there is one.
    #[must_use]
    pub fn continuing(mut self, continues: Continue) -> Self {
        self.continues = continues;
        self
    }
}

/// Which earlier run is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continue {
    /// None.
    Nothing,
    /// The latest one of the same instance, target and command, where it has not ended as
    /// [`RunEnd::Complete`] and began no earlier than this.
    Latest(Timestamp),
    /// The one of this id, however it has ended.
    Run(String),
}

/// The result of [`Ledger::begin`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BeginOutcome {
    /// The run is this process's.
    Claimed {
        /// What every write to it needs.
        claim: Claim,
        /// The run with its exports as they were left: none where it is new, which its id tells.
        run: Box<RunSummary>,
    },
    /// Another run to the same target has an export in common with it.
    Busy {
        /// The id of that run.
        run: String,
        /// When it began.
        started: Timestamp,
        /// The process that works on it, if the ledger can tell which.
        holder: Option<Holder>,
    },
    /// There is no run of the id that was to be continued.
    Missing,
}

/// A run, as [`Ledger::runs`] shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunOverview {
    /// The run without its exports.
    pub run: RunSummary,
    /// How many of its exports have ended in each way. One that is open counts as it would end now.
    pub counts: Counts,
    /// How many of its exports are open.
    pub open: usize,
    /// Whether a process works on it.
    pub is_claimed: bool,
    /// That process, if the ledger can tell which.
    pub holder: Option<Holder>,
}

impl RunOverview {
    /// A run on which no process works, for implementers of [`Ledger`].
    #[must_use]
    pub fn new(run: RunSummary, counts: Counts, open: usize) -> Self {
        Self {
            run,
            counts,
            open,
            is_claimed: false,
            holder: None,
        }
    }

    /// The same run, on which a process works.
    #[must_use]
    pub fn claimed_by(mut self, holder: Option<Holder>) -> Self {
        (self.is_claimed, self.holder) = (true, holder);
        self
    }
}
