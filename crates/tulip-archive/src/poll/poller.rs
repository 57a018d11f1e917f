//! Polling the status of a job until it is complete, has failed, or has run out of time.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};
use tulip_core::{JobId, JobStatus, ResourceUrl, ResourceUrlError};
use tulip_http::Client;

use super::policy::PollPolicy;
use super::tracker::{MAX_WITHOUT_RESOURCE, StatusTracker, Step};

/// How long the last call, made at the deadline, may take.
const LAST_CALL: Duration = Duration::from_secs(30);

/// The result of one status call.
#[derive(Debug)]
#[non_exhaustive]
pub enum PollState {
    /// The job is not complete yet.
    InProgress {
        /// The job's status.
        status: JobStatus,
        /// Whether the status is unknown to this version and occurs for the first time.
        unknown: bool,
    },
    /// The call failed temporarily; it will be retried.
    Failing(tulip_http::Error),
    /// The archive can be downloaded.
    Complete(Complete),
}

/// A complete job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Complete {
    /// The URL of the archive, which expires after a while.
    pub resource: ResourceUrl,
    /// The number of status calls.
    pub polls: u32,
    /// The time since the first call.
    pub waited: Duration,
}

/// Why a job's archive cannot be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The status call failed.
    #[error("could not get the status of job {job}")]
    Status {
        /// The job.
        job: JobId,
        /// The failed call.
        #[source]
        source: tulip_http::Error,
    },
    /// The job has failed at Tulip.
    #[error("job {job} ended as {status:?} at Tulip{}; start a new archive", said(details.as_deref()))]
    Failed {
        /// The job.
        job: JobId,
        /// The job's status.
        status: String,
        /// Tulip's explanation, if any.
        details: Option<String>,
    },
    /// The deadline passed.
    #[error("job {job} was not complete after {} s and {polls} status calls, last {last:?}; it continues at Tulip: export it again, with a longer deadline", waited.as_secs())]
    Deadline {
        /// The job.
        job: JobId,
        /// The time since the first status call.
        waited: Duration,
        /// The number of calls.
        polls: u32,
        /// The last status, or the error of the last call.
        last: String,
    },
    /// The job is complete, but without a download URL.
    #[error(
        "job {job} is complete, but {MAX_WITHOUT_RESOURCE} more status calls brought no download URL; ask Tulip's support, or start a new archive"
    )]
    NoResource {
        /// The job.
        job: JobId,
    },
    /// The job is complete, but its download URL cannot be used.
    #[error("job {job} is complete, but its archive cannot be downloaded")]
    Resource {
        /// The job.
        job: JobId,
        /// What is wrong with the URL.
        #[source]
        source: ResourceUrlError,
    },
}

fn said(details: Option<&str>) -> String {
    details.map_or_else(String::new, |text| format!(": {text:?}"))
}

/// Calls due within this time are made together. With thousands of jobs, separate calls would keep
/// waking the processor.
const TOGETHER: Duration = Duration::from_millis(100);

/// Returns how long after `delay` a call is made so that it coincides with others: at most a
/// hundredth of `delay`.
fn late(now: Instant, delay: Duration) -> Duration {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    if delay < 100 * TOGETHER {
        return Duration::ZERO;
    }
    let since = now.duration_since(*BEGINNING.get_or_init(|| now));
    let behind = since.saturating_add(delay).as_nanos() % TOGETHER.as_nanos();
    Duration::from_nanos(u64::try_from(TOGETHER.as_nanos() - behind).unwrap_or(0))
}

/// Polls a job's status until it is complete. Needs a tokio runtime with time and I/O enabled.
///
/// # Cancellation
/// Every future of a poller can be dropped at any time; the job continues at Tulip.
#[derive(Debug)]
pub struct Poller {
    client: Client,
    job: JobId,
    policy: PollPolicy,
    tracker: StatusTracker,
    began: Instant,
    polls: u32,
    last: String,
    over: bool,
}

impl Poller {
    /// Creates a poller of `job` whose time starts now. The first call is made at once.
    #[must_use]
    pub fn new(client: &Client, job: JobId, policy: PollPolicy) -> Self {
        let began = Instant::now();
        let calls_end = policy
            .limit()
            .and_then(|limit| began.checked_add(limit)?.checked_add(LAST_CALL));
        Self {
            client: client.with_deadline(calls_end),
            job,
            policy,
            tracker: StatusTracker::default(),
            began,
            polls: 0,
            last: String::new(),
            over: false,
        }
    }

    /// Waits until the next call is due, makes it, and returns its result; `None` after
    /// [`PollState::Complete`] or an error.
    ///
    /// # Errors
    /// [`PollError`], after which the poller is done.
    pub async fn next(&mut self) -> Option<Result<PollState, PollError>> {
        if self.over {
            return None;
        }
        let state = self.advance().await;
        self.over = !matches!(
            state,
            Ok(PollState::InProgress { .. } | PollState::Failing(_))
        );
        Some(state)
    }

    /// Polls until the job is complete.
    ///
    /// # Errors
    /// [`PollError`].
    pub async fn until_complete(mut self) -> Result<Complete, PollError> {
        loop {
            if let PollState::Complete(complete) = self.advance().await? {
                return Ok(complete);
            }
        }
    }

    /// Like [`Poller::next`], for a poller that is not done.
    pub(crate) async fn advance(&mut self) -> Result<PollState, PollError> {
        let job = || self.job.clone();
        if self.polls > 0 {
            let waited = self.began.elapsed();
            let Some(delay) = self.policy.wait(self.polls, waited, fastrand::f64()) else {
                return Err(PollError::Deadline {
                    job: job(),
                    waited,
                    polls: self.polls,
                    last: self.last.clone(),
                });
            };
            let late = late(Instant::now(), delay);
            tokio::time::sleep(delay.saturating_add(late)).await;
        }
        self.polls = self.polls.saturating_add(1);
        let answer = match self.client.archive_status(&self.job).await {
            Ok(answer) => answer,
            Err(error)
                if (error.is_retryable() || error.is_odd_reply())
                    && self.tracker.outlasts_failures() =>
            {
                warn!(
                    job = %self.job,
                    %error,
                    "could not get the status of job {}, retrying: {error}",
                    self.job
                );
                self.last = error.to_string();
                return Ok(PollState::Failing(error));
            }
            Err(source) => return Err(PollError::Status { job: job(), source }),
        };
        self.last = answer.status.to_string();
        debug!(job = %self.job, status = self.last, polls = self.polls, "status");
        match self.tracker.answer(answer) {
            Step::Continue {
                status,
                first_unknown: unknown,
            } => {
                if unknown {
                    warn!(
                        job = %self.job,
                        %status,
                        "job {} has the unknown status {status:?}, still waiting",
                        self.job
                    );
                }
                Ok(PollState::InProgress { status, unknown })
            }
            Step::Complete(resource) => Ok(PollState::Complete(Complete {
                resource,
                polls: self.polls,
                waited: self.began.elapsed(),
            })),
            Step::Failed { status, details } => Err(PollError::Failed {
                job: job(),
                status: status.to_string(),
                details,
            }),
            Step::NoResource => Err(PollError::NoResource { job: job() }),
            Step::BadResource(source) => Err(PollError::Resource { job: job(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn long_waits_end_together_and_hardly_later(
            waits in proptest::collection::vec((0..60_000_u64, 0..100_000_u64), 1..50),
        ) {
            late(Instant::now(), Duration::MAX);
            let begin = Instant::now();
            let mut ends = std::collections::BTreeSet::new();
            let mut last = Duration::ZERO;
            for (at, delay) in waits {
                let (at, delay) = (Duration::from_millis(at), Duration::from_millis(delay));
                let late = late(begin + at, delay);
                prop_assert!(late * 100 <= delay);
                if delay >= 100 * TOGETHER {
                    ends.insert((at + delay + late).as_nanos());
                    last = last.max(at + delay);
                }
            }
            // At most one point in time per tenth of a second.
            prop_assert!(ends.len() as u128 <= last.as_nanos() / TOGETHER.as_nanos() + 1);
            let first = ends.first().copied().unwrap_or(0);
            prop_assert!(ends.iter().all(|end| (end - first) % TOGETHER.as_nanos() == 0));
        }
    }

    #[test]
    fn a_wait_without_end_has_none() {
        assert!(late(Instant::now(), Duration::MAX) <= TOGETHER);
    }
}
