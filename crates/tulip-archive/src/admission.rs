//! Admission control for exports that share a budget.

use std::fmt;
use std::pin::Pin;

/// A permit, which is released when dropped.
pub type Permit = Box<dyn Send>;

/// A wait that ends with `T`.
pub type Turn<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Admission control, for callers that run many exports:
/// see [`Export::admission`](crate::Export::admission).
///
/// An export waits for a permit as long as that takes, or until it is cancelled. The time does not
/// count towards its deadline.
pub trait Admission: fmt::Debug + Send + Sync {
    /// Waits for a permit to send one start. Called again before a refused start is retried. The
    /// permit is dropped once the request has been answered, which can take long if the API is
    /// rate-limited.
    fn start(&self) -> Turn<'_, Permit>;

    /// Waits for a permit to download. The job is complete then, and no longer pending at Tulip.
    /// The permit is dropped once the export has ended.
    fn download(&self) -> Turn<'_, Permit>;

    /// Waits for a permit to transfer an archive of `length` bytes; `None` if the host has not
    /// announced it. Called once for each export, after [`download`](Self::download) and before the
    /// object is opened. The permit is dropped once all bytes are with the sink.
    ///
    /// An export that has to wait closes its connection to the host, and requests the archive again
    /// once it has the permit. By default no export waits.
    fn transfer(&self, length: Option<u64>) -> Turn<'_, Permit> {
        let _ = length;
        Box::pin(async { Box::new(()) as Permit })
    }
}
