//! Progress events of an export.

use std::time::Duration;

use tulip_core::{JobId, JobStatus, ObjectKey, Receipt, Timestamp};

/// A step of an export, in the order in which they come. Subscribe with
/// [`Export::on_event`](crate::Export::on_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Tulip refused a start in a way that can pass; it will be sent again.
    StartRefused,
    /// A job was started for the machine.
    Started {
        /// The job.
        job: &'a JobId,
    },
    /// An earlier run of the same export has started a job, which is resumed.
    ResumingJob {
        /// The job.
        job: &'a JobId,
        /// When the earlier run started.
        started: Timestamp,
    },
    /// A status call was answered and the job is not complete yet.
    Waiting {
        /// What Tulip calls the state.
        status: &'a JobStatus,
        /// The status is not known to this version, and comes up for the first time.
        unknown: bool,
        /// The time since the first status call.
        waited: Duration,
    },
    /// A status call failed in a way that can pass; it will be made again.
    WaitFailing {
        /// What went wrong.
        error: &'a tulip_http::Error,
    },
    /// The job is complete: its archive waits for its turn to be downloaded.
    Complete {
        /// The time since the first status call.
        waited: Duration,
    },
    /// The archive's turn has come: its host is asked for it.
    Opening,
    /// The host has told how long the archive is, and the archive has to wait for another turn: see
    /// [`Admission::transfer`](crate::Admission::transfer). [`Event::Opening`] comes again when
    /// that has come.
    Deferred {
        /// The bytes of the whole, where the host announced them.
        length: Option<u64>,
    },
    /// The download begins. Comes again where the archive has changed meanwhile, or its host could
    /// not continue: what was written is discarded then.
    Downloading {
        /// The object that is written.
        key: &'a ObjectKey,
        /// The bytes of the whole, where the host announced them.
        length: Option<u64>,
    },
    /// The download continues where an earlier run has left the object.
    Resuming {
        /// The object that is written.
        key: &'a ObjectKey,
        /// The bytes that are there.
        bytes: u64,
        /// The bytes of the whole, where they are known.
        length: Option<u64>,
    },
    /// Bytes have been handed to the sink. Comes often.
    Progress {
        /// Bytes so far, with those that an earlier run has left.
        bytes: u64,
        /// The bytes of the whole, where the host announced them.
        length: Option<u64>,
        /// Whole records so far, the header not counted.
        records: u64,
        /// Requests to the archive's host that failed and were made again.
        retries: u32,
    },
    /// All bytes are there and checked; the object is being committed.
    Committing,
    /// The object and its receipt are stored.
    Exported {
        /// The receipt.
        receipt: &'a Receipt,
    },
    /// An object was there already and was left as it is.
    Skipped {
        /// The object.
        key: &'a ObjectKey,
    },
    /// The archive of this very job is stored already, whole and with its receipt.
    Unchanged {
        /// The receipt.
        receipt: &'a Receipt,
    },
}
