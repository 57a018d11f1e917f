//! The turns of exports that share a budget.

use std::fmt;
use std::pin::Pin;

/// What is held while a turn lasts. Dropping it ends the turn.
pub type Permit = Box<dyn Send>;

/// A wait that ends with `T`.
pub type Turn<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides when an export may do what weighs on others, for callers that run many of them:
/// see [`Export::admission`](crate::Export::admission).
///
/// An export waits for its turn as long as that takes, or until it is cancelled; the time does not
/// count towards its deadline.
pub trait Admission: fmt::Debug + Send + Sync {
    /// Waits until one request to start a job may be sent. The permit is dropped once the request
    /// has been answered: it may be sent long after its turn has come, where Tulip asks everybody to
    /// wait. Also called before a start that was refused is sent again.
    fn start(&self) -> Turn<'_, Permit>;

    /// Waits until the archive may be downloaded. The job is complete then, and no longer pending at
    /// Tulip. The permit is dropped once the export has ended.
    fn download(&self) -> Turn<'_, Permit>;

    /// Waits until the bytes of the archive may be moved, now that its host has told their number;
    /// `None` where it has not. Comes after [`download`](Self::download), once for each export, and
    /// before the object is opened. The permit is dropped once all bytes are with the sink.
    ///
    /// An export that has to wait closes its connection to the host, and asks for the archive again
    /// when its turn has come. By default none has to.
    fn transfer(&self, length: Option<u64>) -> Turn<'_, Permit> {
        let _ = length;
        Box::pin(async { Box::new(()) as Permit })
    }
}
