//! Policies for when a run starts no more exports.

use std::fmt;

use crate::{ItemReport, NotStarted};

/// Decides after each export whether the run continues.
///
/// A stopped run starts no more exports. Those under way finish, and the rest are reported with the
/// reason that the policy gives.
pub trait StopPolicy: fmt::Debug + Send {
    /// Records how an export ended.
    fn record(&mut self, report: &ItemReport);

    /// Returns why no more exports should be started, or `None` to continue. The answer may change
    /// back when an export that was under way succeeds.
    fn stop(&self) -> Option<NotStarted>;

    /// Whether to hold back exports that were not tried yet, while this many wait to be tried
    /// again. Otherwise, a run in which all exports fail could try thousands of them before the
    /// first one fails for good. By default, none is held back.
    fn hold(&self, retrying: usize) -> bool {
        let _ = retrying;
        false
    }
}

/// Tries every export, however the others end.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverStop;

impl StopPolicy for NeverStop {
    fn record(&mut self, _: &ItemReport) {}

    fn stop(&self) -> Option<NotStarted> {
        None
    }
}
