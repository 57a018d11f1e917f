//! What can go wrong in a call.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tulip_core::ApiErrorBody;

use crate::Endpoint;

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made: the request has not reached the server.
    Connect,
    /// The server's certificate, or TLS itself, was refused.
    Tls,
    /// Nothing came for longer than the limit.
    Timeout,
    /// The connection broke before the reply was whole.
    Interrupted,
    /// 400: headers, query or body could not be parsed.
    BadRequest,
    /// 401: no or unusable authentication.
    Unauthorized,
    /// 403: the authentication was rejected, or a scope is missing.
    Forbidden,
    /// 404: no such job, machine or path.
    NotFound,
    /// 422: understood, and refused.
    Unprocessable,
    /// 429: too many requests from this instance's tokens.
    RateLimited,
    /// 500 to 599.
    Server,
    /// Any other status.
    UnexpectedStatus,
    /// A redirect that is not followed: the API's always, an asset's when it leaves `https` or
    /// goes round in circles.
    Redirect,
    /// A success whose body is not what was asked for: HTML, empty, cut off, too large, not JSON.
    InvalidReply,
    /// The asset's host refused the signed URL: expired, revoked or altered.
    AssetRefused,
    /// The archive is another than the one whose download had begun, or cannot be continued.
    AssetChanged,
    /// The asset is on `http` although the API is on `https`.
    InsecureAsset,
    /// The asset is at an address that only this machine or its network reaches, and the API is
    /// not there.
    AddressRefused,
}

/// A failed call: what happened, to which call, how often it was tried, what to do next.
///
/// `Display` holds it all except the technical cause, which is the `source`. Neither shows a
/// secret or a signed URL.
pub struct Error(Box<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) kind: ErrorKind,
    pub(crate) endpoint: Endpoint,
    pub(crate) status: Option<u16>,
    pub(crate) body: ApiErrorBody,
    /// What was found instead of the expected reply, for people.
    pub(crate) found: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) source: Option<Cause>,
}

/// The technical cause, as text: no type of the HTTP stack leaves this crate.
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
            retry_after: None,
            attempts: 1,
            elapsed: Duration::ZERO,
            source: None,
        }))
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

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The call that failed.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The HTTP status, where there was a reply.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// `errorCode` of the reply: Tulip's class of error.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.0.body.error_code.as_deref()
    }

    /// `errorUniqueID` of the reply: what Tulip's support asks for.
    #[must_use]
    pub fn error_unique_id(&self) -> Option<&str> {
        self.0.body.error_unique_id.as_deref()
    }

    /// `details` of the reply: Tulip's explanation.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.0.body.details.as_deref()
    }

    /// How long the server asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How often the call was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The time from the first attempt to the last failure.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Whether the same call can succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::RateLimited
            | ErrorKind::AssetChanged
            | ErrorKind::Server => true,
            ErrorKind::UnexpectedStatus => self.0.status == Some(408),
            _ => false,
        }
    }

    /// Whether Tulip refused the credentials, or what they may do.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unauthorized | ErrorKind::Forbidden)
    }

    /// Whether the job or machine is not known to Tulip.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let named = matches!(
            self.0.endpoint,
            Endpoint::ArchiveStatus(_) | Endpoint::StartArchive(_)
        );
        named && self.0.kind == ErrorKind::NotFound
    }

    /// Whether this was a start whose outcome is unknown: the archive may have been started, so
    /// the call is not sent again by itself. A refusal (any 4xx, whatever its body is) is definite.
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
                ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::InvalidReply
            ),
        }
    }

    fn is_asset(&self) -> bool {
        matches!(self.0.endpoint, Endpoint::Asset { .. })
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.kind, self.0.endpoint.scope()) {
            (ErrorKind::Connect, _) => f.write_str("no connection could be made"),
            (ErrorKind::Tls, _) => f.write_str("no trusted TLS connection could be made"),
            (ErrorKind::Timeout, _) => f.write_str("the server fell silent"),
            (ErrorKind::Interrupted, _) => f.write_str("the connection broke in the reply"),
            (ErrorKind::BadRequest, _) => f.write_str("the server could not parse the request"),
            (ErrorKind::Unauthorized, _) => f.write_str("the server saw no usable API key"),
            (ErrorKind::Forbidden, Some(scope)) => {
                write!(f, "this token lacks {scope}, or was rejected")
            }
            (ErrorKind::Forbidden, None) => f.write_str("access was refused"),
            (ErrorKind::NotFound, Some(_)) => match &self.0.endpoint {
                Endpoint::ArchiveStatus(job) => write!(f, "Tulip knows no archive job {job}"),
                Endpoint::StartArchive(machine) => write!(f, "Tulip knows no machine {machine}"),
                _ => f.write_str("the API is not there"),
            },
            (ErrorKind::NotFound, None) => f.write_str("the archive is not there"),
            (ErrorKind::Unprocessable, _) => f.write_str("the request was understood and refused"),
            (ErrorKind::RateLimited, _) => f.write_str("too many requests for this instance"),
            (ErrorKind::Server, _) => f.write_str("the server failed"),
            (ErrorKind::UnexpectedStatus, _) => f.write_str("the status was not expected"),
            (ErrorKind::Redirect, _) => f.write_str("the redirect is not followed"),
            (ErrorKind::InvalidReply, _) => f.write_str("the reply is not what was asked for"),
            (ErrorKind::AssetRefused, _) => f.write_str("the signed URL was refused"),
            (ErrorKind::AssetChanged, _) => {
                f.write_str("the archive changed on the way, or could not be continued")
            }
            (ErrorKind::InsecureAsset, _) => {
                f.write_str("the archive is offered on http although the API is on https")
            }
            (ErrorKind::AddressRefused, _) => f.write_str("nothing is downloaded from there"),
        }
    }

    fn advice(&self) -> Option<&'static str> {
        Some(match self.0.kind {
            ErrorKind::Connect if self.is_asset() => "check that this machine can reach the host",
            ErrorKind::Connect => "check the base URL, the network and the proxy variables",
            ErrorKind::Tls => "if a proxy re-signs TLS here, name its CA file",
            _ if self.is_outcome_unknown() => {
                "the archive may have been started: look in Tulip before starting another"
            }
            ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::Server
            | ErrorKind::AssetChanged => "try again later",
            ErrorKind::Unauthorized => "check TULIP_API_KEY and TULIP_API_SECRET, or TULIP_AUTH",
            ErrorKind::Forbidden if self.is_asset() => return None,
            ErrorKind::Forbidden => {
                "check the secret, the token's scopes, and whether it is a workspace or an account token"
            }
            ErrorKind::NotFound if self.is_asset() => {
                "export the job again, which asks for a fresh URL"
            }
            ErrorKind::NotFound => "check the id, the workspace and the base URL",
            ErrorKind::RateLimited => "run fewer exports at once, or try again later",
            ErrorKind::Redirect if self.is_asset() => return None,
            ErrorKind::Redirect => "set the base URL to the address that the instance really has",
            ErrorKind::InvalidReply if !self.is_asset() => {
                "check that the base URL is a Tulip instance and that this machine is on its allowlist"
            }
            ErrorKind::AssetRefused => {
                "fresh URLs do not help: if it lasts, ask who runs that host, or Tulip's support"
            }
            ErrorKind::InsecureAsset => "on a network that you trust, allow it: --allow-http",
            ErrorKind::AddressRefused => {
                "if archives are kept there, allow it: --allow-network, with the network or address"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}: ", inner.endpoint)?;
        self.what(f)?;
        if let Some(status) = inner.status.filter(|status| *status != 200) {
            write!(f, " (HTTP {status})")?;
        }
        if let Some(found) = &inner.found {
            write!(f, ": {found}")?;
        }
        if let Some(details) = &inner.body.details {
            write!(f, "; Tulip says {details:?}")?;
        }
        if let Some(code) = &inner.body.error_code {
            write!(f, "; errorCode {code}")?;
        }
        if let Some(id) = &inner.body.error_unique_id {
            write!(f, "; errorUniqueID {id}")?;
        }
        if inner.attempts > 1 {
            let seconds = inner.elapsed.as_secs_f64();
            write!(f, "; {} attempts in {seconds:.1} s", inner.attempts)?;
        }
        if let Some(wait) = inner.retry_after {
            write!(f, "; the server asks to wait {} s", wait.as_secs())?;
        }
        if let Some(advice) = self.advice() {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|cause| cause as _)
    }
}
