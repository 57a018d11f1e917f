//! Asks for the status of a job until it is complete, has failed, or its time is up.

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

/// What one status call said.
#[derive(Debug)]
#[non_exhaustive]
pub enum PollState {
    /// The job is not complete yet.
    InProgress {
        /// What Tulip calls the state.
        status: JobStatus,
        /// The status is not known to this version, and comes up for the first time.
        unknown: bool,
    },
    /// The call failed in a way that can pass; it will be made again.
    Failing(tulip_http::Error),
    /// The archive can be downloaded.
    Complete(Complete),
}

/// A job that is complete.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Complete {
    /// Where the archive can be downloaded, for a while.
    pub resource: ResourceUrl,
    /// How many status calls were made.
    pub polls: u32,
    /// The time since the first of them.
    pub waited: Duration,
}

/// Why a job will not be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The status could not be asked.
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
        /// What Tulip calls the state.
        status: String,
        /// What Tulip said.
        details: Option<String>,
    },
    /// The deadline passed.
    #[error("job {job} was not complete after {} s and {polls} status calls, last {last:?}; it continues at Tulip: export it again, with a longer deadline", waited.as_secs())]
    Deadline {
        /// The job.
        job: JobId,
        /// The time since the first status call.
        waited: Duration,
        /// How many calls were made.
        polls: u32,
        /// The last state, or how the last call failed.
        last: String,
    },
    /// The job is complete and names no download.
    #[error(
        "job {job} is complete, but {MAX_WITHOUT_RESOURCE} more status calls brought no download URL; ask Tulip's support, or start a new archive"
    )]
    NoResource {
        /// The job.
        job: JobId,
    },
    /// The job is complete and its download cannot be used.
    #[error("job {job} is complete, but its archive cannot be downloaded")]
    Resource {
        /// The job.
        job: JobId,
        /// What is wrong with it.
        #[source]
        source: ResourceUrlError,
    },
}

fn said(details: Option<&str>) -> String {
    details.map_or_else(String::new, |text| format!(": {text:?}"))
}

/// Calls that are due about the same time are made at the same time: of thousands of jobs each call
/// by itself would wake the processor.
const TOGETHER: Duration = Duration::from_millis(100);

/// How long after `delay` a call that is due then is made: a hundredth of it at most.
fn late(now: Instant, delay: Duration) -> Duration {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    if delay < 100 * TOGETHER {
        return Duration::ZERO;
    }
    let since = now.duration_since(*BEGINNING.get_or_init(|| now));
    let behind = since.saturating_add(delay).as_nanos() % TOGETHER.as_nanos();
    Duration::from_nanos(u64::try_from(TOGETHER.as_nanos() - behind).unwrap_or(0))
}

/// Asks for a job's status until it is complete.
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
    /// A poller of `job` whose time begins now. The first call is made at once.
    #[must_use]
    pub fn new(client: &Client, job: JobId, policy: PollPolicy) -> Self {
        let began = Instant::now();
        let calls_end = policy
            .time_limit()
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

    /// Waits until the next call is due, makes it, and tells what it said. After
    /// [`PollState::Complete`] or an error there is nothing more.
    ///
    /// # Errors
    /// [`PollError`]; the poller is done then.
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

    /// As [`Poller::next`], of a poller that is not done.
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
            // One point of time in each tenth of a second at most.
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
