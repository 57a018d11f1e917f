//! The interpretation of answers, without calls or a clock.

use tulip_core::{ArchiveJob, JobStatus, ResourceUrl, ResourceUrlError};

/// How often a job that is `complete` without a resource is polled again.
pub(super) const MAX_WITHOUT_RESOURCE: u32 = 5;
/// The number of different unknown statuses to remember, so that each is reported once.
const MAX_UNKNOWN: usize = 16;

/// The state that the answers for one job have led to so far.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusTracker {
    answered: bool,
    without_resource: u32,
    unknown: Vec<String>,
}

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask again.
    Continue {
        status: JobStatus,
        /// Whether the status is unknown and has not been reported before.
        first_unknown: bool,
    },
    /// The archive can be downloaded.
    Complete(ResourceUrl),
    /// There will be no archive.
    Failed {
        status: JobStatus,
        details: Option<String>,
    },
    /// The job stayed complete without a resource.
    NoResource,
    /// The resource cannot be downloaded.
    BadResource(ResourceUrlError),
}

impl StatusTracker {
    /// Interprets an answer.
    pub(super) fn answer(&mut self, job: ArchiveJob) -> Step {
        self.answered = true;
        if job.status.is_failed() {
            return Step::Failed {
                status: job.status,
                details: job.details,
            };
        }
        if !job.status.is_complete() {
            return Step::Continue {
                first_unknown: self.is_first_unknown(&job.status),
                status: job.status,
            };
        }
        match job.resource {
            Some(resource) => match resource.parse() {
                Ok(url) => Step::Complete(url),
                Err(error) => Step::BadResource(error),
            },
            None if self.without_resource >= MAX_WITHOUT_RESOURCE => Step::NoResource,
            None => {
                self.without_resource += 1;
                Step::Continue {
                    status: job.status,
                    first_unknown: false,
                }
            }
        }
    }

    /// Whether to retry a call that failed temporarily. An API that has answered before will answer
    /// again; one that never has is more likely not there.
    pub(super) fn outlasts_failures(&self) -> bool {
        self.answered
    }

    fn is_first_unknown(&mut self, status: &JobStatus) -> bool {
        let text = status.as_str();
        if !status.is_unknown()
            || self.unknown.len() >= MAX_UNKNOWN
            || self.unknown.iter().any(|known| known == text)
        {
            return false;
        }
        self.unknown.push(text.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job(status: &str) -> ArchiveJob {
        ArchiveJob::new("j".parse().unwrap(), JobStatus::from(status.to_owned()))
    }

    fn unknown(tracker: &mut StatusTracker, status: &str) -> bool {
        match tracker.answer(job(status)) {
            Step::Continue { first_unknown, .. } => first_unknown,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_status_keeps_polling_and_is_reported_once() {
        let mut tracker = StatusTracker::default();
        let reported = [
            "pending",
            "zipping",
            "zipping",
            "packing",
            "zipping",
            "processing",
        ]
        .map(|status| unknown(&mut tracker, status));
        assert_eq!(reported, [false, true, false, true, false, false]);
    }

    #[test]
    fn complete_without_resource_is_asked_again_a_bounded_number_of_times() {
        let mut tracker = StatusTracker::default();
        for _ in 0..MAX_WITHOUT_RESOURCE {
            assert!(matches!(
                tracker.answer(job("complete")),
                Step::Continue { .. }
            ));
        }
        assert_eq!(tracker.answer(job("complete")), Step::NoResource);
        let found = tracker.answer(job("complete").with_resource("https://h/x?sig=1"));
        assert!(matches!(found, Step::Complete(_)));
    }

    #[test]
    fn a_failed_status_ends_with_what_tulip_said() {
        let mut failed = job("failed");
        failed.details = Some("out of disk".into());
        let expected = Step::Failed {
            status: JobStatus::Failed,
            details: Some("out of disk".into()),
        };
        assert_eq!(StatusTracker::default().answer(failed), expected);
    }

    #[test]
    fn a_resource_that_is_no_url_ends_at_once() {
        let step = StatusTracker::default().answer(job("complete").with_resource("not a url"));
        assert!(matches!(step, Step::BadResource(_)), "{step:?}");
    }

    proptest! {
        #[test]
        fn no_sequence_of_statuses_reports_one_twice(statuses in proptest::collection::vec("[a-d]{1,2}", 0..60)) {
            let mut tracker = StatusTracker::default();
            let mut reported = Vec::new();
            for status in statuses {
                if unknown(&mut tracker, &status) {
                    prop_assert!(!reported.contains(&status));
                    reported.push(status);
                }
            }
        }
    }
}
