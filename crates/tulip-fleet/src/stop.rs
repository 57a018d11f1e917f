//! When a run starts no more exports.

use std::fmt;

use crate::{ItemReport, NotStarted};

/// Decides after each export whether the run continues.
///
/// A run that stops starts no more exports. Those under way finish, and each that is left is
/// reported with the reason that the policy gives.
pub trait StopPolicy: fmt::Debug + Send {
    /// Records how an export has ended.
    fn record(&mut self, report: &ItemReport);

    /// Why no more exports are to be started, or `None` to continue. The answer may change back
    /// when an export that was under way succeeds.
    fn stop(&self) -> Option<NotStarted>;

    /// Whether to try no other export for the first time while this many wait to be tried again.
    /// A run in which all fail should not have tried thousands of them before the first has failed
    /// for the last time. By default it does not wait.
    fn hold(&self, retrying: usize) -> bool {
        let _ = retrying;
        false
    }
}

/// Tries every export, whatever the others have come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverStop;

impl StopPolicy for NeverStop {
    fn record(&mut self, _: &ItemReport) {}

    fn stop(&self) -> Option<NotStarted> {
        None
    }
}
