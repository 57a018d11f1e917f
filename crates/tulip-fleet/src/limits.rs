//! The limits of a run.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The limits of a run. Generating archives puts load on the instance, so few are asked for at
/// once; a plant of up to a minute's worth of machines never waits for the rate.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Archives that are downloaded at the same time.
    pub(crate) concurrency: usize,
    /// Jobs that are pending at Tulip at the same time.
    pub(crate) max_pending: usize,
    /// Bytes from which on an archive is large: at most half of the downloads are of such ones.
    pub(crate) large_from: u64,
    /// Starts in any minute.
    pub(crate) start_rate: Option<NonZeroUsize>,
    pub(crate) time_limit: Option<Duration>,
    /// Of each export.
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
