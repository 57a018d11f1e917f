//! The contract of a ledger.

use std::fmt;

use tulip_archive::core::Timestamp;
use tulip_archive::core::sink::async_trait;
use tulip_archive::state::{Claim, Holder, StateError};

use crate::{Counts, ItemSummary, RunEnd, RunSummary};

/// Keeps runs with their exports, so that a run that ended early can be continued, and two runs do
/// not do the same work at the same time.
///
/// Exports are identified by [`ItemSummary::id`]. A process works on a run only while it holds its
/// claim.
///
/// # Contract
/// - At most one claim of a run is in force. It ends with [`Ledger::end`], [`Ledger::release`], or
///   the process, even if the process crashes.
/// - Two runs to one target that have an export in common are never claimed at the same time.
/// - Each claim has a higher [`Claim::attempt`] than every earlier one. A call with a claim that is
///   not in force changes nothing and fails as
///   [`Fenced`](tulip_archive::StateErrorKind::Fenced).
/// - Calls with the same claim take effect in the order in which they are made. Dropping the future
///   of a call does not undo it, except that the claim of a [`Ledger::begin`] whose future is
///   dropped is released.
/// - Records survive at least the end of the process.
///
/// The suite in `ledger::conformance`, behind the feature `conformance`, checks this.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Claims a run for this process: the earlier run that `new` continues, or else `new` itself.
    ///
    /// A continued run keeps its exports that are stored or unchanged. Of the others, those that
    /// are planned again stay as they were left until they are recorded, so that none of their jobs
    /// is forgotten; the rest are removed.
    ///
    /// # Errors
    /// [`StateError`] when the ledger cannot be read or written.
    async fn begin(&self, new: NewRun) -> Result<BeginOutcome, StateError>;

    /// Checks that a claim is in force. Called before each start, so that a process that was
    /// presumed dead starts nothing more.
    ///
    /// # Errors
    /// [`StateError`]; [`StateError::is_fenced`] if the claim is not in force.
    async fn check(&self, claim: &Claim) -> Result<(), StateError>;

    /// Records the state of an export, replacing what was recorded before.
    ///
    /// # Errors
    /// [`StateError`]; [`StateError::is_fenced`] if the claim is not in force.
    async fn record(&self, claim: &Claim, item: ItemSummary) -> Result<(), StateError>;

    /// Records how a run ended, and ends the claim.
    ///
    /// # Errors
    /// [`StateError`]; [`StateError::is_fenced`] if the claim is not in force.
    async fn end(
        &self,
        claim: &Claim,
        end: RunEnd,
        reason: Option<String>,
    ) -> Result<(), StateError>;

    /// Ends the claim and leaves the run for another process. Returns at once; later calls of the
    /// same process find the run free.
    fn release(&self, claim: Claim);

    /// Returns all runs, latest first.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    async fn runs(&self) -> Result<Vec<RunOverview>, StateError>;

    /// Returns a run with all its exports, or `None` if no run has this id.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be read.
    async fn run(&self, id: &str) -> Result<Option<RunSummary>, StateError>;

    /// Removes a run with its exports. Returns `false` if there is none, or a process is working on
    /// it.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be removed.
    async fn remove(&self, id: &str) -> Result<bool, StateError>;
}

/// A run to be started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// The run with its planned exports: [`Plan::summaries`](crate::Plan::summaries).
    pub run: RunSummary,
    /// A canonical form of the command: equal commands continue each other's runs.
    pub command: String,
    /// The earlier run that it continues.
    pub continues: Continue,
}

impl NewRun {
    /// Creates a run that continues no other.
    pub fn new(run: RunSummary, command: impl Into<String>) -> Self {
        let command = command.into();
        let run = RunSummary {
            command: command.clone(),
            ..run
        };
        Self {
            run,
            command,
            continues: Continue::Nothing,
        }
    }

    /// Sets the earlier run that this one continues, if there is one.
    #[must_use]
    pub fn continuing(mut self, continues: Continue) -> Self {
        self.continues = continues;
        self
    }
}

/// The earlier run to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continue {
    /// None.
    Nothing,
    /// The latest run of the same instance, target and command, if it has not ended as
    /// [`RunEnd::Complete`] and started no earlier than this.
    Latest(Timestamp),
    /// The run with this id, however it ended.
    Run(String),
}

/// The result of [`Ledger::begin`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BeginOutcome {
    /// This process has claimed the run.
    Claimed {
        /// The claim that every write to the run needs.
        claim: Claim,
        /// The run with its exports as they were left. A new run has none; its id shows that it is
        /// new.
        run: Box<RunSummary>,
    },
    /// A process is working on the run to continue, or on one to the same target that has an export
    /// in common with it.
    Busy {
        /// The id of that run.
        run: String,
        /// When it started.
        started: Timestamp,
        /// The process that is working on it, if the ledger knows it.
        holder: Option<Holder>,
    },
    /// No run has the id that was to be continued.
    Missing,
}

/// A run, as [`Ledger::runs`] lists it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunOverview {
    /// The run without its exports.
    pub run: RunSummary,
    /// Its exports by outcome. An open export counts as it would end now.
    pub counts: Counts,
    /// How many of its exports are open.
    pub open: usize,
    /// Whether a process is working on it.
    pub is_claimed: bool,
    /// That process, if the ledger knows it.
    pub holder: Option<Holder>,
}

impl RunOverview {
    /// Creates the overview of a run that no process is working on, for implementers of [`Ledger`].
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

    /// Marks the run as claimed by `holder`, or by an unknown process.
    #[must_use]
    pub fn claimed_by(mut self, holder: Option<Holder>) -> Self {
        (self.is_claimed, self.holder) = (true, holder);
        self
    }
}
