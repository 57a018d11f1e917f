//! What goes wrong with the requests for one job.

use super::JobScript;
use crate::fault::Fault;

/// What goes wrong with the requests for this job. Faults that wait for the next request of all,
/// see [`Emulator::fail_next`](crate::Emulator::fail_next), are left to others as long as the job
/// has one of its own.
impl JobScript {
    /// The status calls for the job meet these faults, one each; [`Fault::None`] lets one pass.
    #[must_use]
    pub fn status_faults<F: Into<Fault>>(mut self, faults: impl IntoIterator<Item = F>) -> Self {
        self.faults.status = faults.into_iter().map(Into::into).collect();
        self
    }

    /// The requests for the job's archive meet these faults, one each; [`Fault::None`] lets one
    /// pass.
    ///
    /// ```
    /// use tulip_emulator::{Fault, JobScript, Reply};
    /// // The download breaks, the second attempt is refused, and the third one is served.
    /// let faults = [Fault::Cut { after: 100 }, Reply::slow_down().into()];
    /// let script = JobScript::new().asset_faults(faults);
    /// ```
    #[must_use]
    pub fn asset_faults<F: Into<Fault>>(mut self, faults: impl IntoIterator<Item = F>) -> Self {
        self.faults.asset = faults.into_iter().map(Into::into).collect();
        self
    }

    /// Every request for a range of the job's archive meets this fault, if no other one waits for
    /// it: after [`Self::asset_faults`]. Requests without `Range` are served, as by a firewall that
    /// knows no ranges.
    ///
    /// ```
    /// use tulip_emulator::{Fault, JobScript, Reply};
    /// let refused = JobScript::new().asset_ranged(Reply::html(405, "<title>Blocked</title>"));
    /// let broken = JobScript::new().asset_ranged(Fault::Hangup);
    /// ```
    #[must_use]
    pub fn asset_ranged(mut self, fault: impl Into<Fault>) -> Self {
        self.faults.asset_ranged = Some(fault.into());
        self
    }

    /// Every request for the job's archive meets this fault for which no other one waits: after
    /// [`Self::asset_faults`], from some request on.
    #[must_use]
    pub fn asset_always(mut self, fault: impl Into<Fault>) -> Self {
        self.faults.asset_always = Some(fault.into());
        self
    }
}
