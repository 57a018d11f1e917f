//! Jobs and their status.

mod urls;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::time::Instant;
use tulip_core::{JobId, MachineId};

use self::urls::Urls;
pub(crate) use self::urls::{Budget, Visit};
use crate::fault::Fault;
use crate::log::JobRequests;
use crate::script::{JobScript, Outcome, Wait};

/// Information about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// Its id.
    pub id: JobId,
    /// The machine whose archive it makes.
    pub machine: MachineId,
    /// The number of status calls served for it.
    pub polls: u32,
    /// The status returned last, or `None` before the first poll.
    pub last_status: Option<String>,
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) status: String,
    pub(crate) has_resource: bool,
    pub(crate) details: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) info: JobInfo,
    pub(crate) script: JobScript,
    pub(crate) created: SystemTime,
    started: Instant,
    released: bool,
    complete_polls: u32,
    urls: Urls,
    status_requests: usize,
    asset_requests: usize,
    asset_bytes: Arc<AtomicU64>,
}

impl Job {
    pub(crate) fn new(
        id: JobId,
        machine: MachineId,
        script: JobScript,
        started: Instant,
        created: SystemTime,
    ) -> Self {
        Self {
            info: JobInfo {
                id,
                machine,
                polls: 0,
                last_status: None,
            },
            script,
            created,
            started,
            released: false,
            complete_polls: 0,
            urls: Urls::default(),
            status_requests: 0,
            asset_requests: 0,
            asset_bytes: Arc::default(),
        }
    }

    /// Counts a poll and returns its result.
    pub(crate) fn poll(&mut self, now: Instant) -> Found {
        let nth = self.info.polls;
        self.info.polls = nth.saturating_add(1);
        let found = self.look(nth, now);
        self.info.last_status = Some(found.status.clone());
        found
    }

    fn look(&mut self, nth: u32, now: Instant) -> Found {
        let pending = match &self.script.wait {
            _ if self.released => false,
            Wait::Polls(polls) => nth < *polls,
            Wait::For(duration) => now.duration_since(self.started) < *duration,
            Wait::Release => true,
            Wait::Statuses(_) => false,
        };
        let (status, details) = match (&self.script.wait, &self.script.outcome) {
            (Wait::Statuses(statuses), _) => {
                let last = statuses.len().saturating_sub(1);
                let at = if self.released {
                    last
                } else {
                    last.min(nth as usize)
                };
                let status = statuses.get(at).unwrap_or(&self.script.pending_status);
                (status.clone(), None)
            }
            _ if pending => (self.script.pending_status.clone(), None),
            (_, Outcome::Complete) => ("complete".to_owned(), None),
            (_, Outcome::Failed { details }) => ("failed".to_owned(), details.clone()),
        };
        let complete = status == "complete";
        let has_resource = complete && self.has_resource();
        if complete {
            self.complete_polls = self.complete_polls.saturating_add(1);
        }
        Found {
            has_resource,
            status,
            details,
        }
    }

    /// Whether the next reply with the status `complete` has the resource.
    fn has_resource(&self) -> bool {
        let there = &self.script.resources;
        let nth = usize::try_from(self.complete_polls).unwrap_or(usize::MAX);
        let there = there.get(nth).or(there.last()).copied();
        there.unwrap_or(true) && self.complete_polls >= self.script.polls_without_resource
    }

    pub(crate) fn release(&mut self) {
        self.released = true;
    }

    /// Counts a status call and returns the job's own fault for it, if any.
    pub(crate) fn status_call(&mut self) -> Option<Fault> {
        let nth = self.status_requests;
        self.status_requests += 1;
        self.script.faults.status.get(nth).cloned()
    }

    /// The number of requests for the archive so far.
    pub(crate) fn asset_requests(&self) -> usize {
        self.asset_requests
    }

    /// Counts a request for the archive and returns the job's own fault for it, if any.
    pub(crate) fn asset_request(&mut self) -> Option<Fault> {
        let nth = self.asset_requests;
        self.asset_requests += 1;
        self.script.faults.asset.get(nth).cloned()
    }

    /// The counter of the archive's bytes that have been sent.
    pub(crate) fn asset_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.asset_bytes)
    }

    /// The requests for this job.
    fn requests(&self) -> JobRequests {
        JobRequests {
            status: self.status_requests,
            asset: self.asset_requests,
            asset_bytes: self.asset_bytes.load(Ordering::Relaxed),
        }
    }

    /// Returns the number of a new signed URL.
    pub(crate) fn new_url(&mut self) -> usize {
        self.urls.sign(&self.script.asset)
    }

    pub(crate) fn expire_urls(&mut self) {
        self.urls.expire();
    }

    /// Counts a request to URL `number` and returns what it gets.
    pub(crate) fn use_url(&mut self, number: usize) -> Visit {
        self.urls.visit(number, &self.script.asset)
    }
}

/// All jobs, in the order of their creation.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    list: Vec<Job>,
    by_id: HashMap<JobId, usize>,
}

impl Jobs {
    /// Adds a job, replacing one with the same id.
    pub(crate) fn add(&mut self, job: Job) {
        match self
            .by_id
            .get(&job.info.id)
            .and_then(|at| self.list.get_mut(*at))
        {
            Some(old) => *old = job,
            None => {
                self.by_id.insert(job.info.id.clone(), self.list.len());
                self.list.push(job);
            }
        }
    }

    pub(crate) fn get(&self, id: &JobId) -> Option<&Job> {
        self.list.get(*self.by_id.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &JobId) -> Option<&mut Job> {
        self.list.get_mut(*self.by_id.get(id)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The requests for each job.
    pub(crate) fn requests(&self) -> HashMap<JobId, JobRequests> {
        let requests = |job: &Job| (job.info.id.clone(), job.requests());
        self.list.iter().map(requests).collect()
    }

    pub(crate) fn infos(&self) -> Vec<JobInfo> {
        self.list.iter().map(|job| job.info.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn job(script: JobScript) -> Job {
        Job::new(
            "j1".parse().unwrap(),
            "m1".parse().unwrap(),
            script,
            Instant::now(),
            SystemTime::UNIX_EPOCH,
        )
    }

    fn statuses(script: JobScript, polls: usize) -> Vec<(String, bool)> {
        let mut job = job(script);
        (0..polls)
            .map(|_| job.poll(Instant::now()))
            .map(|found| (found.status, found.has_resource))
            .collect()
    }

    fn said(pairs: &[(&str, bool)]) -> Vec<(String, bool)> {
        pairs.iter().map(|(s, r)| ((*s).to_owned(), *r)).collect()
    }

    #[test]
    fn a_plain_job_is_complete_at_the_first_poll() {
        assert_eq!(statuses(JobScript::new(), 1), said(&[("complete", true)]));
    }

    #[test]
    fn a_job_is_pending_for_its_polls() {
        let script = JobScript::new().pending_polls(2).pending_status("queued");
        let expected = said(&[("queued", false), ("queued", false), ("complete", true)]);
        assert_eq!(statuses(script, 3), expected);
    }

    #[test]
    fn the_last_of_the_statuses_repeats() {
        let script = JobScript::new().statuses(["pending", "zipping", "complete"]);
        let expected = said(&[
            ("pending", false),
            ("zipping", false),
            ("complete", true),
            ("complete", true),
        ]);
        assert_eq!(statuses(script, 4), expected);
        let none = JobScript::new().statuses(Vec::<String>::new());
        assert_eq!(statuses(none, 1), said(&[("pending", false)]));
    }

    #[test]
    fn the_resource_can_lag_behind_complete() {
        let script = JobScript::new()
            .pending_polls(1)
            .complete_without_resource(1);
        let expected = said(&[("pending", false), ("complete", false), ("complete", true)]);
        assert_eq!(statuses(script, 3), expected);
    }

    #[test]
    fn the_resource_can_come_and_go() {
        let script = JobScript::new().resources([true, false, true]);
        let expected = [true, false, true, true].map(|there| ("complete", there));
        assert_eq!(statuses(script, 4), said(&expected));
        let never = JobScript::new().resources([false]);
        assert_eq!(statuses(never, 2), said(&[("complete", false); 2]));
    }

    #[test]
    fn a_complete_job_can_be_pending_again() {
        let script = JobScript::new().statuses(["complete", "pending", "complete"]);
        let expected = said(&[("complete", true), ("pending", false), ("complete", true)]);
        assert_eq!(statuses(script, 3), expected);
    }

    #[test]
    fn a_failed_job_says_why_and_has_no_resource() {
        let mut failing = job(JobScript::new().pending_polls(1).fails("disk full"));
        assert_eq!(failing.poll(Instant::now()).details, None);
        let found = failing.poll(Instant::now());
        assert_eq!(
            (found.status.as_str(), found.has_resource),
            ("failed", false)
        );
        assert_eq!(found.details.as_deref(), Some("disk full"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_pending_for_its_duration() {
        let mut job = job(JobScript::new().pending_for(Duration::from_secs(60)));
        assert_eq!(job.poll(Instant::now()).status, "pending");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(job.poll(Instant::now()).status, "complete");
    }

    #[test]
    fn a_held_job_goes_on_when_released() {
        let mut job = job(JobScript::new().pending_until_released());
        assert_eq!(job.poll(Instant::now()).status, "pending");
        job.release();
        assert_eq!(job.poll(Instant::now()).status, "complete");
        assert_eq!(job.info.polls, 2);
    }
}
