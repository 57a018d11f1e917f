//! The deadline of a call.

use tokio::time::Instant;

use crate::Endpoint;
use crate::error::{Error, ErrorKind};

/// Awaits `work`, or fails with [`ErrorKind::Timeout`] if it is not done by `deadline`.
pub(crate) async fn until<T>(
    deadline: Option<Instant>,
    endpoint: impl FnOnce() -> Endpoint,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::Timeout, endpoint());
            Err(error.with_found("the deadline passed before the server answered"))
        })
}
