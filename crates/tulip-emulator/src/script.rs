//! What a job does, as a test writes it down.

use std::time::Duration;

use bytes::Bytes;
use tulip_core::MachineId;

use crate::content::FixedContent;

/// How long a job stays unfinished.
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

/// How the asset host serves a job's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssetScript {
    pub(crate) rows: Option<u64>,
    pub(crate) content: Option<FixedContent>,
    pub(crate) truncate: Option<u64>,
    pub(crate) declared_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) ranges: bool,
    pub(crate) etag: bool,
    pub(crate) url_lifetime: Duration,
    pub(crate) url_requests: Option<u32>,
}

/// What a job does: how long it stays pending, how it ends, and how its archive is served.
///
/// [`JobScript::new`] completes at the first poll and serves the machine's archive as an object
/// store would. Each method changes one thing.
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
    pub(crate) pending_status: String,
    pub(crate) resource: Option<String>,
    pub(crate) polls_without_resource: u32,
    pub(crate) machine: Option<MachineId>,
    pub(crate) asset: AssetScript,
}

impl Default for JobScript {
    fn default() -> Self {
        Self {
            wait: Wait::Polls(0),
            outcome: Outcome::Complete,
            start_status: "pending".to_owned(),
            pending_status: "pending".to_owned(),
            resource: None,
            polls_without_resource: 0,
            machine: None,
            asset: AssetScript {
                rows: None,
                content: None,
                truncate: None,
                declared_length: None,
                chunked: false,
                ranges: true,
                etag: true,
                url_lifetime: Duration::from_secs(900),
                url_requests: None,
            },
        }
    }
}

/// How long the job takes, and what it says meanwhile.
impl JobScript {
    /// A job that is complete at the first poll.
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

    /// The job is pending until `duration` after its start, by tokio's clock: a test that pauses
    /// time can advance it.
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

    /// The status calls answer exactly these names, one each; the last one repeats. The resource
    /// is there whenever the name is `complete`. Without any name the job says `pending`.
    #[must_use]
    pub fn statuses<S: Into<String>>(mut self, statuses: impl IntoIterator<Item = S>) -> Self {
        self.wait = Wait::Statuses(statuses.into_iter().map(Into::into).collect());
        self
    }

    /// The name of the status while the job is pending, instead of `pending`.
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

    /// The job ends as `failed`, with `details` in the reply.
    #[must_use]
    pub fn fails(mut self, details: impl Into<String>) -> Self {
        self.outcome = Outcome::Failed {
            details: Some(details.into()),
        };
        self
    }

    /// The job ends as `failed` and does not say why.
    #[must_use]
    pub fn fails_silently(mut self) -> Self {
        self.outcome = Outcome::Failed { details: None };
        self
    }

    /// The first `polls` replies that say `complete` have no resource yet.
    #[must_use]
    pub fn complete_without_resource(mut self, polls: u32) -> Self {
        self.polls_without_resource = polls;
        self
    }

    /// The resource is this text, whatever it is, instead of a signed URL.
    #[must_use]
    pub fn resource(mut self, text: impl Into<String>) -> Self {
        self.resource = Some(text.into());
        self
    }

    /// Which machine's archive it is, for a job that no call started. Without it, the first
    /// machine's. A job that a call starts is always for the machine of the call.
    #[must_use]
    pub fn machine(mut self, machine: MachineId) -> Self {
        self.machine = Some(machine);
        self
    }
}

/// What the archive holds, and how the asset host serves it.
impl JobScript {
    /// The archive has this many data records, instead of the emulator's default; no more than
    /// [`CsvArchive::MAX_ROWS`](crate::CsvArchive::MAX_ROWS).
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.asset.rows = Some(rows);
        self
    }

    /// The archive is exactly these bytes.
    #[must_use]
    pub fn content(mut self, content: impl Into<Bytes>) -> Self {
        self.asset.content = Some(FixedContent::new(content.into()));
        self
    }

    /// The archive ends after `bytes`, and everything that announces its length agrees: only its
    /// content can show that something is missing.
    #[must_use]
    pub fn truncated(mut self, bytes: u64) -> Self {
        self.asset.truncate = Some(bytes);
        self
    }

    /// A reply with the whole archive announces `bytes` as its length, whatever it is. Ranges
    /// are not changed. Without effect on a chunked reply.
    #[must_use]
    pub fn declared_length(mut self, bytes: u64) -> Self {
        self.asset.declared_length = Some(bytes);
        self
    }

    /// Replies come in chunks and announce no `Content-Length`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.asset.chunked = true;
        self
    }

    /// `Range` is ignored: every reply is 200 with the whole archive.
    #[must_use]
    pub fn without_ranges(mut self) -> Self {
        self.asset.ranges = false;
        self
    }

    /// Replies carry no `ETag`, and `If-Match` is ignored.
    #[must_use]
    pub fn without_etag(mut self) -> Self {
        self.asset.etag = false;
        self
    }

    /// How long a signed URL works, in whole seconds, instead of 15 minutes. With zero, a URL
    /// has expired when it is handed out.
    #[must_use]
    pub fn url_lifetime(mut self, lifetime: Duration) -> Self {
        self.asset.url_lifetime = lifetime;
        self
    }

    /// How many requests a signed URL serves before it counts as expired.
    #[must_use]
    pub fn url_requests(mut self, requests: u32) -> Self {
        self.asset.url_requests = Some(requests);
        self
    }
}
