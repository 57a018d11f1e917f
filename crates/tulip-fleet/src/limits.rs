//! The limits of a run.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The limits of a run. Generating archives puts load on the instance, so the default limits are
/// low. A plant with no more machines than there are starts in a minute never waits for the rate.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The maximum number of downloads at the same time.
    pub(crate) concurrency: usize,
    /// The maximum number of jobs pending at Tulip at the same time.
    pub(crate) max_pending: usize,
    /// The size in bytes from which an archive is large. At most half of the downloads are of large
    /// archives.
    pub(crate) large_from: u64,
    /// The maximum number of starts in any minute.
    pub(crate) start_rate: Option<NonZeroUsize>,
    pub(crate) time_limit: Option<Duration>,
    /// The time limit of each export.
    pub(crate) item_time_limit: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            max_pending: 8,
            large_from: 128 << 20,
            start_rate: NonZeroUsize::new(60),
            time_limit: None,
            item_time_limit: None,
        }
    }
}
