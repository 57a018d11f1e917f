//! Why a plain request failed.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::{Response, StatusCode};
use tulip_core::sink::{SinkError, SinkErrorKind};

use super::failure::{Failure, FailureKind};

/// Why a request of a [`Transport`](crate::Transport) has no response, or one with an error status.
/// Holds no URL.
pub struct TransportError {
    pub(crate) failure: Failure,
    status: Option<StatusCode>,
}

/// Returns the response, unless its status is an error (400 and above) or a redirect.
///
/// # Errors
/// [`TransportError`] with that [`status`](TransportError::status).
pub fn error_for_status<B>(response: Response<B>) -> Result<Response<B>, TransportError> {
    let status = response.status();
    match status.is_client_error() || status.is_server_error() || status.is_redirection() {
        true => Err(TransportError::refused(status, "")),
        false => Ok(response),
    }
}

impl TransportError {
    fn new(kind: FailureKind, cause: String) -> Self {
        Self {
            failure: Failure { kind, cause },
            status: None,
        }
    }

    pub(super) fn of(error: reqwest::Error) -> Self {
        Self {
            failure: Failure::new(error),
            status: None,
        }
    }

    /// No request can be built from the given parts.
    pub(super) fn unusable(error: &dyn fmt::Display) -> Self {
        Self::new(FailureKind::InvalidRequest, error.to_string())
    }

    pub(super) fn read_timed_out(limit: Duration) -> Self {
        let cause = format!("no progress for {} s", limit.as_secs_f32());
        Self::new(FailureKind::Timeout, cause)
    }

    pub(super) fn interrupted(cause: &str) -> Self {
        Self::new(FailureKind::ConnectionLost, cause.to_owned())
    }

    /// The server answered with `status`; `when` completes the message.
    pub(super) fn refused(status: StatusCode, when: &str) -> Self {
        Self {
            status: Some(status),
            ..Self::interrupted(&format!("the server answered {status}{when}"))
        }
    }

    /// Returns the error status, or `None` if the server has not answered.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }
}

/// The class comes from the status. Without one, the target is invalid or the store unavailable.
impl From<TransportError> for SinkError {
    fn from(error: TransportError) -> Self {
        let kind = match (error.status, error.failure.kind) {
            (Some(status), _) => SinkErrorKind::from_http_status(status.as_u16()),
            (
                None,
                FailureKind::Tls | FailureKind::AddressRefused | FailureKind::InvalidRequest,
            ) => SinkErrorKind::InvalidTarget,
            (None, _) => SinkErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.status, self.failure.kind) {
            (Some(_), _) => return f.write_str(&self.failure.cause),
            (None, FailureKind::Tls) => "could not make a trusted TLS connection",
            (None, FailureKind::Connect) => "could not connect",
            (None, FailureKind::Timeout) => "timed out",
            (None, FailureKind::InvalidRequest) => "the request cannot be made",
            (None, _) => "connection lost",
        };
        write!(f, "{what}: {}", self.failure.cause)
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransportError")
            .field(&self.to_string())
            .finish()
    }
}

impl StdError for TransportError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    #[test]
    fn a_status_that_tells_of_a_failure_is_an_error() {
        for status in [200, 201, 204, 207] {
            assert!(error_for_status(answer(status)).is_ok(), "{status}");
        }
        for status in [301, 403, 404, 500, 507] {
            let error = error_for_status(answer(status)).unwrap_err();
            assert_eq!(error.status().unwrap().as_u16(), status);
        }
    }

    #[test]
    fn a_request_that_cannot_be_made_is_not_worth_a_retry() {
        let bad = http::Request::put("http://nas/\u{7}").body(()).unwrap_err();
        let error = SinkError::from(TransportError::unusable(&bad));
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
        assert!(
            error
                .to_string()
                .starts_with("the request cannot be made: "),
            "{error}"
        );
    }

    #[test]
    fn a_sink_says_what_came_back_and_what_to_do() {
        let full = SinkError::from(error_for_status(answer(507)).unwrap_err());
        assert_eq!(full.kind(), SinkErrorKind::StorageFull);
        assert_eq!(
            full.to_string(),
            "the server answered 507 Insufficient Storage: no space left (free some space, then \
             try again)"
        );
        let silent = TransportError::read_timed_out(Duration::from_secs(60));
        assert_eq!(
            format!("{silent:?}"),
            "TransportError(\"timed out: no progress for 60 s\")"
        );
        assert!(SinkError::from(silent).is_retryable());
    }
}
