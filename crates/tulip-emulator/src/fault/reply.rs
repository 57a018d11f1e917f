//! Replies written by a test.

use std::time::Duration;

use bytes::Bytes;
use tulip_core::ApiErrorBody;

/// A reply written by a test.
///
/// ```
/// use tulip_emulator::Reply;
/// let busy = Reply::error(429, "TooManyRequests", "rate limit").header("Retry-After", "2");
/// let page = Reply::html(403, "<h1>Your address is not allowed</h1>");
/// let soon = Reply::busy(503).retry_after(std::time::Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status code; an invalid one becomes 500.
    pub status: u16,
    /// The name and value of each header; invalid ones are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long after sending the date in `Retry-After` lies.
    pub(crate) retry_date: Option<Duration>,
}

/// Constructors.
impl Reply {
    /// A reply with no headers and no body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            retry_date: None,
        }
    }

    /// Tulip's error body as JSON.
    #[must_use]
    pub fn error(status: u16, code: &str, details: &str) -> Self {
        Self::json(status, &ApiErrorBody::new(code, "ScriptedFault0", details))
    }

    /// An HTML page instead of JSON, as from a firewall.
    #[must_use]
    pub fn html(status: u16, page: impl Into<Bytes>) -> Self {
        Self::new(status)
            .header("Content-Type", "text/html; charset=utf-8")
            .body(page)
    }

    /// An S3 error document, for the asset host.
    #[must_use]
    pub fn xml(status: u16, code: &str, message: &str) -> Self {
        Self::xml_with(status, code, message, "")
    }

    /// Like [`Self::xml`], with further elements in `rest`.
    pub(crate) fn xml_with(status: u16, code: &str, message: &str, rest: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{message}</Message>{rest}<RequestId>EMULATED00000000</RequestId></Error>"
        );
        Self::new(status)
            .header("Content-Type", "application/xml")
            .header("Server", "AmazonS3")
            .body(body)
    }

    /// The API is overloaded, with Tulip's error body. Meant for 429 and 503.
    #[must_use]
    pub fn busy(status: u16) -> Self {
        let (code, details) = match status {
            429 => (
                "TooManyRequests",
                "the rate limit of this instance is exceeded",
            ),
            _ => ("ServiceUnavailable", "the instance is busy"),
        };
        Self::error(status, code, details)
    }

    /// The asset host is overloaded: S3's 503.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::xml(503, "SlowDown", "Please reduce your request rate.")
    }

    /// The asset host's reply to a URL that has expired or been revoked. S3 sends 403, or 400 if
    /// the session behind the signature has expired; other stores send 401.
    #[must_use]
    pub fn expired(status: u16) -> Self {
        match status {
            400 => Self::xml(400, "ExpiredToken", "The provided token has expired."),
            401 => Self::xml(401, "AuthenticationRequired", "Authentication required."),
            _ => Self::xml(status, "AccessDenied", "Request has expired"),
        }
    }

    /// A redirect to `location`. For one that leads to itself, see
    /// [`Fault::RedirectLoop`](crate::Fault::RedirectLoop).
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::new(status).header("Location", location)
    }

    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        // Only maps with non-string keys cannot be serialized, and there are none.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::new(status)
            .header("Content-Type", "application/json")
            .body(body)
    }
}

/// Headers and body.
impl Reply {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds `Retry-After` in seconds, rounded up.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000);
        self.header("Retry-After", seconds.to_string())
    }

    /// Adds `Retry-After` as an HTTP date that is `wait` after the reply is sent, by tokio's clock,
    /// rounded up to whole seconds.
    #[must_use]
    pub fn retry_after_date(mut self, wait: Duration) -> Self {
        self.retry_date = Some(wait);
        self
    }
}
