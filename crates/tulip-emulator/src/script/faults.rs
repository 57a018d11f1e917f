//! What is written down about the requests for a job.

use crate::fault::Fault;

/// The faults of requests for one job, in the order of the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FaultScript {
    pub(crate) status: Vec<Fault>,
    pub(crate) asset: Vec<Fault>,
    /// Of requests for a range of the archive.
    pub(crate) asset_ranged: Option<Fault>,
    /// Of later requests for the archive.
    pub(crate) asset_always: Option<Fault>,
}
