//! Faults of the requests for one job.

use super::JobScript;
use crate::fault::Fault;

/// Faults of the requests for this job. A request that meets one of [`JobScript::status_faults`] or
/// [`JobScript::asset_faults`] leaves the faults of
/// [`Emulator::fail_next`](crate::Emulator::fail_next) to other requests.
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

    /// Every request for a range of the job's archive meets this fault, unless it meets another
    /// first, such as one of [`Self::asset_faults`]. Requests without `Range` are served, as with a
    /// firewall that blocks ranges.
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

    /// Every request for the job's archive meets this fault, unless it meets another first. With
    /// [`Self::asset_faults`], it begins after those.
    #[must_use]
    pub fn asset_always(mut self, fault: impl Into<Fault>) -> Self {
        self.faults.asset_always = Some(fault.into());
        self
    }
}
