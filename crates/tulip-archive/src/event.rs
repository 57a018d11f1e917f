//! Progress events of an export.

use std::time::Duration;

use tulip_core::{JobId, JobStatus, ObjectKey, Receipt, Timestamp};

/// A step of an export, in order of occurrence. Subscribe with
/// [`Export::on_event`](crate::Export::on_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Tulip refused a start temporarily; it will be sent again.
    StartRefused,
    /// A job was started for the machine.
    Started {
        /// The job.
        job: &'a JobId,
    },
    /// A job that an earlier run of the same export has started is resumed.
    ResumingJob {
        /// The job.
        job: &'a JobId,
        /// When the earlier run started.
        started: Timestamp,
    },
    /// A status call was answered; the job is not complete yet.
    Waiting {
        /// The job's status.
        status: &'a JobStatus,
        /// Whether the status is unknown to this version and occurs for the first time.
        unknown: bool,
        /// The time since the first status call.
        waited: Duration,
    },
    /// A status call failed temporarily; it will be retried.
    WaitFailing {
        /// The error.
        error: &'a tulip_http::Error,
    },
    /// The job is complete; its archive waits for its turn to be downloaded.
    Complete {
        /// The time since the first status call.
        waited: Duration,
    },
    /// The archive's turn has come; it is requested from its host.
    Opening,
    /// The host has announced the archive's length, and the archive has to wait for another turn:
    /// see [`Admission::transfer`](crate::Admission::transfer). [`Event::Opening`] follows once it
    /// comes.
    Deferred {
        /// The archive's size in bytes, if the host announced it.
        length: Option<u64>,
    },
    /// The download begins. Repeated if the archive has changed meanwhile or its host could not
    /// continue; what was written is discarded then.
    Downloading {
        /// The object that is being written.
        key: &'a ObjectKey,
        /// The archive's size in bytes, if the host announced it.
        length: Option<u64>,
    },
    /// The download continues where an earlier run left off.
    Resuming {
        /// The object that is being written.
        key: &'a ObjectKey,
        /// The bytes that are already stored.
        bytes: u64,
        /// The archive's size in bytes, if it is known.
        length: Option<u64>,
    },
    /// Bytes were handed to the sink. Frequent.
    Progress {
        /// The bytes so far, including those from an earlier run.
        bytes: u64,
        /// The archive's size in bytes, if the host announced it.
        length: Option<u64>,
        /// The whole records so far, without the header.
        records: u64,
        /// The requests to the archive's host that failed and were retried.
        retries: u32,
    },
    /// All bytes are written and checked; the object is being committed. From here on it may be
    /// visible, even if the export is dropped.
    Committing,
    /// The object and its receipt are stored.
    Exported {
        /// The receipt.
        receipt: &'a Receipt,
    },
    /// An object already existed and was kept.
    Skipped {
        /// The object.
        key: &'a ObjectKey,
    },
    /// The archive of this job is already stored, whole and with its receipt.
    Unchanged {
        /// The receipt.
        receipt: &'a Receipt,
    },
}
