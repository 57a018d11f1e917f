//! Scripts: what a job does, as defined by a test.

mod archive;
mod asset;
mod faults;
mod requests;
mod urls;

use std::time::Duration;

use tulip_core::MachineId;

pub(crate) use self::asset::{AssetScript, IfMatch};
pub(crate) use self::faults::FaultScript;

/// How long a job stays pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    Polls(u32),
    For(Duration),
    Release,
    /// One status per poll; the last repeats.
    Statuses(Vec<String>),
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    Failed { details: Option<String> },
}

/// What a job does: how long it stays pending, how it ends, and how its archive is served.
///
/// A job of [`JobScript::new`] completes at the first poll and serves the machine's archive as an
/// object store would. Each method changes one thing.
///
/// ```
/// use tulip_emulator::JobScript;
/// let slow_and_short = JobScript::new().pending_polls(3).rows(10);
/// let broken = JobScript::new().fails("the export ran out of disk");
/// let odd = JobScript::new().statuses(["queued", "zipping", "complete"]).chunked();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobScript {
    pub(crate) wait: Wait,
    pub(crate) outcome: Outcome,
    pub(crate) start_status: String,
    pub(crate) start_reply: Option<String>,
    pub(crate) has_numeric_id: bool,
    pub(crate) status_id: Option<String>,
    pub(crate) pending_status: String,
    pub(crate) resource: Option<String>,
    pub(crate) polls_without_resource: u32,
    pub(crate) resources: Vec<bool>,
    pub(crate) machine: Option<MachineId>,
    pub(crate) asset: AssetScript,
    pub(crate) faults: FaultScript,
}

impl Default for JobScript {
    fn default() -> Self {
        Self {
            wait: Wait::Polls(0),
            outcome: Outcome::Complete,
            start_status: "pending".to_owned(),
            start_reply: None,
            has_numeric_id: false,
            status_id: None,
            pending_status: "pending".to_owned(),
            resource: None,
            polls_without_resource: 0,
            resources: Vec::new(),
            machine: None,
            asset: AssetScript::default(),
            faults: FaultScript::default(),
        }
    }
}

/// How long the job takes, and what the API replies meanwhile.
impl JobScript {
    /// Creates the script of a job that is complete at the first poll.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first `polls` status calls find the job pending.
    #[must_use]
    pub fn pending_polls(mut self, polls: u32) -> Self {
        self.wait = Wait::Polls(polls);
        self
    }

    /// The job is pending until `duration` after its start, by tokio's clock, which a test can
    /// pause and advance.
    #[must_use]
    pub fn pending_for(mut self, duration: Duration) -> Self {
        self.wait = Wait::For(duration);
        self
    }

    /// The job is pending until [`Emulator::release`](crate::Emulator::release).
    #[must_use]
    pub fn pending_until_released(mut self) -> Self {
        self.wait = Wait::Release;
        self
    }

    /// The status calls return exactly these statuses, one each; the last one repeats. The resource
    /// is there whenever the status is `complete`. If there are none, the job stays pending.
    #[must_use]
    pub fn statuses<S: Into<String>>(mut self, statuses: impl IntoIterator<Item = S>) -> Self {
        self.wait = Wait::Statuses(statuses.into_iter().map(Into::into).collect());
        self
    }

    /// The status while the job is pending, instead of `pending`.
    #[must_use]
    pub fn pending_status(mut self, status: impl Into<String>) -> Self {
        self.pending_status = status.into();
        self
    }

    /// The status in the reply to the call that starts the job, instead of `pending`. Tulip's
    /// own example shows `complete`.
    #[must_use]
    pub fn start_status(mut self, status: impl Into<String>) -> Self {
        self.start_status = status.into();
        self
    }

    /// The reply to the call that starts the job is this text, with `{id}` replaced by the job's
    /// id.
    ///
    /// ```
    /// use tulip_emulator::JobScript;
    /// let no_status = JobScript::new().start_reply(r#"{"id":"{id}"}"#);
    /// let numbers = JobScript::new().numeric_id().start_reply(r#"{"id":{id},"status":200}"#);
    /// ```
    #[must_use]
    pub fn start_reply(mut self, text: impl Into<String>) -> Self {
        self.start_reply = Some(text.into());
        self
    }

    /// The job's id consists of digits, so it could be a JSON number.
    #[must_use]
    pub fn numeric_id(mut self) -> Self {
        self.has_numeric_id = true;
        self
    }

    /// The status calls return this `id`, as if they were for another job.
    #[must_use]
    pub fn status_id(mut self, id: impl Into<String>) -> Self {
        self.status_id = Some(id.into());
        self
    }

    /// The job ends as `failed`, with `details` in the reply.
    #[must_use]
    pub fn fails(mut self, details: impl Into<String>) -> Self {
        self.outcome = Outcome::Failed {
            details: Some(details.into()),
        };
        self
    }

    /// The job ends as `failed`, without details.
    #[must_use]
    pub fn fails_silently(mut self) -> Self {
        self.outcome = Outcome::Failed { details: None };
        self
    }

    /// The first `polls` replies with the status `complete` have no resource yet.
    #[must_use]
    pub fn complete_without_resource(mut self, polls: u32) -> Self {
        self.polls_without_resource = polls;
        self
    }

    /// Whether each reply with the status `complete` has the resource; the last value repeats. For
    /// a resource that comes and goes.
    #[must_use]
    pub fn resources(mut self, there: impl IntoIterator<Item = bool>) -> Self {
        self.resources = there.into_iter().collect();
        self
    }

    /// The resource is this text instead of a signed URL.
    #[must_use]
    pub fn resource(mut self, text: impl Into<String>) -> Self {
        self.resource = Some(text.into());
        self
    }

    /// The machine, for a job that is added without a call; the first machine by default. A job
    /// that a call starts is always for the machine of the call.
    #[must_use]
    pub fn machine(mut self, machine: MachineId) -> Self {
        self.machine = Some(machine);
        self
    }
}
