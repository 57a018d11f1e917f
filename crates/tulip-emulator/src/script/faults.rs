//! The part of a script about the requests for a job.

use crate::fault::Fault;

/// The faults of requests for one job, in the order of the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FaultScript {
    pub(crate) status: Vec<Fault>,
    pub(crate) asset: Vec<Fault>,
    /// The fault of requests for a range of the archive that have no other one.
    pub(crate) asset_ranged: Option<Fault>,
    /// The fault of requests for the archive that have no other one.
    pub(crate) asset_always: Option<Fault>,
}
