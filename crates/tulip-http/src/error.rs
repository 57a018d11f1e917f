//! The error of a failed call.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tulip_core::ApiErrorBody;

use crate::transport::{Failure, FailureKind, TransportError};
use crate::{Advice, Endpoint};

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made: the request has not reached the server.
    Connect,
    /// The server's certificate was refused, or TLS failed.
    Tls,
    /// The deadline or a time limit passed, or data came too slowly for too long.
    Timeout,
    /// The connection broke before the reply was complete.
    ConnectionLost,
    /// 400: headers, query or body could not be parsed.
    BadRequest,
    /// 401: no or unusable authentication.
    Unauthorized,
    /// 403: the authentication was rejected, or a scope is missing.
    Forbidden,
    /// 404: no such job, machine or path. For an asset also 410.
    NotFound,
    /// 422: understood, but refused.
    Unprocessable,
    /// 429: too many requests from this instance's tokens.
    RateLimited,
    /// 500 to 599.
    Server,
    /// Any other status.
    UnexpectedStatus,
    /// A redirect that is not followed: any of the API's, and an asset's if it leaves `https`, goes
    /// round in circles or has no usable location.
    Redirect,
    /// A success whose body is not what was asked for: HTML, empty, cut off, too large, not JSON.
    InvalidReply,
    /// The host sent something that cannot be a CSV archive: an error document, a page or a
    /// compressed file.
    NotAnArchive,
    /// The asset's host refused the signed URL: it is expired, revoked or altered.
    AssetRefused,
    /// The archive is not the one whose download was started, or the download cannot be continued.
    AssetChanged,
    /// The asset is on `http` although the API is on `https`.
    InsecureAsset,
    /// The asset is at an address that only this machine or its network can reach, and the API is
    /// not there.
    AddressRefused,
}

/// A failed call: what happened, to which call, and how often it was tried.
///
/// `Display` shows all of it except the technical cause, which is the `source`, and what to do
/// about it, which is [`Error::advice`]. Neither shows a secret or a signed URL.
pub struct Error(Box<Inner>);

pub(crate) struct Inner {
    pub(crate) kind: ErrorKind,
    pub(crate) endpoint: Endpoint,
    pub(crate) status: Option<u16>,
    pub(crate) body: ApiErrorBody,
    /// What was found instead of the expected reply.
    pub(crate) found: Option<String>,
    /// Whether something that is not an archive reports a temporary failure.
    pub(crate) transient: bool,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) source: Option<Cause>,
}

/// The technical cause, as text, so that no type of the HTTP library leaves this crate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cause(pub(crate) String);

impl Error {
    pub(crate) fn new(kind: ErrorKind, endpoint: Endpoint) -> Self {
        Self(Box::new(Inner {
            kind,
            endpoint,
            status: None,
            body: ApiErrorBody::default(),
            found: None,
            transient: false,
            retry_after: None,
            attempts: 1,
            elapsed: Duration::ZERO,
            source: None,
        }))
    }

    pub(crate) fn from_failure(failure: Failure, endpoint: Endpoint) -> Self {
        let error = Self::new(failure.kind.into(), endpoint);
        match failure.kind {
            FailureKind::AddressRefused => error.with_found(failure.cause),
            _ => error.with_cause(failure.cause),
        }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut Inner {
        &mut self.0
    }

    pub(crate) fn with_found(mut self, found: impl Into<String>) -> Self {
        self.0.found = Some(found.into());
        self
    }

    pub(crate) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.0.source = Some(Cause(cause.into()));
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the call that failed.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Returns the HTTP status, or `None` if there was no reply.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the reply's `errorCode`, Tulip's class of error.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.0.body.error_code.as_deref()
    }

    /// Returns the reply's `errorUniqueID`, which Tulip's support asks for.
    #[must_use]
    pub fn error_unique_id(&self) -> Option<&str> {
        self.0.body.error_unique_id.as_deref()
    }

    /// Returns the reply's `details`, Tulip's explanation.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.0.body.details.as_deref()
    }

    /// Returns how long the server asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns how often the call was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the time from the first attempt to the last failure.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Returns whether the same call can succeed later without any change.
    ///
    /// # What to do
    /// Repeat the call after some minutes. The client has already retried it as its
    /// [`RetryPolicy`](crate::RetryPolicy) says, so repeating it at once rarely helps. If
    /// [`Error::is_outcome_unknown`], look for the job first.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::ConnectionLost
            | ErrorKind::RateLimited
            | ErrorKind::AssetChanged
            | ErrorKind::Server => true,
            // It can take a while until all of a store's machines know a new object.
            ErrorKind::NotFound => self.is_asset(),
            ErrorKind::NotAnArchive => self.0.transient,
            ErrorKind::UnexpectedStatus => matches!(self.0.status, Some(408 | 425)),
            _ => false,
        }
    }

    /// Returns whether Tulip refused the credentials or denied them the call.
    ///
    /// # What to do
    /// Check the API key and secret, and that the token has the scope that [`Endpoint::scope`]
    /// names. An account token also needs its workspace. Retrying does not help.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unauthorized | ErrorKind::Forbidden)
    }

    /// Returns whether Tulip does not know the job or machine.
    ///
    /// # What to do
    /// Check the id and the workspace. Tulip may also have forgotten the job: start a new archive.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let named = matches!(
            self.0.endpoint,
            Endpoint::ArchiveStatus(_) | Endpoint::StartArchive(_)
        );
        named && self.0.kind == ErrorKind::NotFound
    }

    /// Returns whether this was a start whose outcome is unknown: the archive may have been
    /// started, so the client does not send the call again. A refusal (any 4xx, whatever its body)
    /// is definite.
    ///
    /// # What to do
    /// Check in Tulip whether there is a new archive of the machine before you start another. Do
    /// not simply repeat the call.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        if self.0.endpoint.is_idempotent() {
            return false;
        }
        match self.0.status {
            Some(400..=499) => false,
            Some(_) => true,
            None => matches!(
                self.0.kind,
                ErrorKind::Timeout | ErrorKind::ConnectionLost | ErrorKind::InvalidReply
            ),
        }
    }

    /// Returns whether the API's answer to a GET was not Tulip's: a page, an empty or cut body, a
    /// redirect, the status of another job. Something between this machine and Tulip sends these.
    ///
    /// # What to do
    /// On the first call, check the base URL and the allowlist of the instance. If the same call
    /// has worked before, for example while polling a job, repeat it until the deadline.
    #[must_use]
    pub fn is_odd_reply(&self) -> bool {
        self.0.endpoint.is_idempotent()
            && !self.is_asset()
            && match self.0.kind {
                ErrorKind::InvalidReply | ErrorKind::Redirect => true,
                ErrorKind::UnexpectedStatus => self.0.status.is_some_and(|status| status < 400),
                _ => false,
            }
    }

    /// Returns what to do about the failure, or `None` if there is no advice.
    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        let is_asset = self.is_asset();
        Some(match self.0.kind {
            ErrorKind::Connect if is_asset => Advice::CheckHost,
            ErrorKind::Connect => Advice::CheckConnection,
            ErrorKind::Tls => Advice::SetCaFile,
            _ if self.is_outcome_unknown() => Advice::LookForArchive,
            ErrorKind::Unauthorized => Advice::CheckCredentials,
            ErrorKind::Forbidden if !is_asset => Advice::CheckScopes,
            ErrorKind::NotFound if !is_asset => Advice::CheckId,
            ErrorKind::RateLimited => Advice::ReduceLoad,
            ErrorKind::Redirect if !is_asset => Advice::CorrectBaseUrl,
            ErrorKind::InvalidReply if !is_asset => Advice::CheckInstance,
            ErrorKind::AssetRefused => Advice::AskHost,
            ErrorKind::InsecureAsset => Advice::AllowHttpAssets,
            ErrorKind::AddressRefused => Advice::AllowNetwork,
            ErrorKind::NotAnArchive if !self.is_retryable() => Advice::AskHost,
            _ if self.is_retryable() => Advice::TryLater,
            _ => return None,
        })
    }

    pub(crate) fn is_asset(&self) -> bool {
        matches!(self.0.endpoint, Endpoint::Asset { .. })
    }

    /// Says briefly why an attempt failed. Without a status, the technical cause says most.
    pub(crate) fn reason(&self) -> String {
        let inner = &*self.0;
        match (&inner.source, inner.status) {
            (Some(cause), None) => cause.to_string(),
            (_, Some(status)) => format!("{} (HTTP {status})", What(self)),
            (None, None) => What(self).to_string(),
        }
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.kind, self.0.endpoint.scope()) {
            (ErrorKind::Connect, _) => f.write_str("could not connect"),
            (ErrorKind::Tls, _) => f.write_str("could not make a trusted TLS connection"),
            (ErrorKind::Timeout, _) => f.write_str("timed out"),
            (ErrorKind::ConnectionLost, _) => {
                f.write_str("connection lost before the reply was complete")
            }
            (ErrorKind::BadRequest, _) => f.write_str("bad request"),
            (ErrorKind::Unauthorized, _) => f.write_str("authentication failed"),
            (ErrorKind::Forbidden, Some(scope)) => {
                write!(f, "access denied: the token lacks {scope} or was rejected")
            }
            (ErrorKind::Forbidden, None) => f.write_str("access denied"),
            (ErrorKind::NotFound, Some(_)) => match &self.0.endpoint {
                Endpoint::ArchiveStatus(job) => write!(f, "job {job} not found"),
                Endpoint::StartArchive(machine) => write!(f, "machine {machine} not found"),
                _ => f.write_str("API not found"),
            },
            (ErrorKind::NotFound, None) => f.write_str("archive not found"),
            (ErrorKind::Unprocessable, _) => f.write_str("request refused"),
            (ErrorKind::RateLimited, _) => f.write_str("too many requests"),
            (ErrorKind::Server, _) => f.write_str("server error"),
            (ErrorKind::UnexpectedStatus, _) => f.write_str("unexpected status"),
            (ErrorKind::Redirect, _) => f.write_str("redirect not followed"),
            (ErrorKind::InvalidReply, _) => f.write_str("unexpected reply"),
            (ErrorKind::NotAnArchive, _) => f.write_str("not a CSV archive"),
            (ErrorKind::AssetRefused, _) => f.write_str("the signed URL was refused"),
            (ErrorKind::AssetChanged, _) => {
                f.write_str("the archive changed during the download, or could not be resumed")
            }
            (ErrorKind::InsecureAsset, _) => {
                f.write_str("the archive is offered on http although the API is on https")
            }
            (ErrorKind::AddressRefused, _) => {
                f.write_str("downloads from this address are not allowed")
            }
        }
    }
}

/// Displays what went wrong, without the call.
struct What<'a>(&'a Error);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.what(f)
    }
}

impl From<FailureKind> for ErrorKind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Connect | FailureKind::InvalidRequest => Self::Connect,
            FailureKind::Tls => Self::Tls,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::ConnectionLost => Self::ConnectionLost,
            FailureKind::Unreadable => Self::InvalidReply,
            FailureKind::AddressRefused => Self::AddressRefused,
        }
    }
}

impl TransportError {
    /// Returns the class of the failure: [`ErrorKind::Tls`], [`ErrorKind::Connect`],
    /// [`ErrorKind::Timeout`], [`ErrorKind::ConnectionLost`] or [`ErrorKind::InvalidReply`];
    /// [`ErrorKind::UnexpectedStatus`] if there is a [`status`](Self::status).
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.status() {
            Some(_) => ErrorKind::UnexpectedStatus,
            None => self.failure.kind.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        // The path would only repeat the id that was not found.
        if !self.is_not_found() {
            write!(f, "{}: ", inner.endpoint)?;
        }
        self.what(f)?;
        if let Some(status) = inner.status.filter(|status| *status != 200) {
            write!(f, " (HTTP {status})")?;
        }
        if inner.attempts > 1 {
            let seconds = inner.elapsed.as_secs_f64();
            write!(f, " after {} attempts in {seconds:.1} s", inner.attempts)?;
        }
        if let Some(found) = &inner.found {
            write!(f, ": {found}")?;
        }
        if let Some(details) = &inner.body.details {
            write!(f, "; Tulip says: {details}")?;
        }
        if let Some(code) = &inner.body.error_code {
            write!(f, "; errorCode {code}")?;
        }
        if let Some(id) = &inner.body.error_unique_id {
            write!(f, "; errorUniqueID {id}")?;
        }
        if let Some(wait) = inner.retry_after {
            write!(f, "; the server asks to wait {} s", wait.as_secs())?;
        }
        if self.is_outcome_unknown() {
            f.write_str("; the archive may have been started")?;
        }
        Ok(())
    }
}

/// On one line, because `main` prints a returned error with `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &self.0.kind);
        shown.field("message", &self.to_string());
        if let Some(Cause(cause)) = &self.0.source {
            shown.field("source", cause);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|cause| cause as _)
    }
}
