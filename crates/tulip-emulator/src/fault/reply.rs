//! Replies that a test writes.

use bytes::Bytes;
use tulip_core::ApiErrorBody;

/// A reply as a test writes it.
///
/// ```
/// use tulip_emulator::Reply;
/// let busy = Reply::error(429, "TooManyRequests", "rate limit").header("Retry-After", "2");
/// let page = Reply::html(403, "<h1>Your address is not allowed</h1>");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status code; one that HTTP does not have becomes 500.
    pub status: u16,
    /// Name and value of each header; what HTTP cannot carry is left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A reply with no headers and no body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Tulip's error body as JSON.
    #[must_use]
    pub fn error(status: u16, code: &str, details: &str) -> Self {
        Self::json(status, &ApiErrorBody::new(code, "ScriptedFault0", details))
    }

    /// A page where JSON was due, as a firewall sends it.
    #[must_use]
    pub fn html(status: u16, page: impl Into<Bytes>) -> Self {
        Self::new(status)
            .header("Content-Type", "text/html; charset=utf-8")
            .body(page)
    }

    /// The same reply with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same reply with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        // Only maps with odd keys cannot be written, and there are none.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::new(status)
            .header("Content-Type", "application/json")
            .body(body)
    }
}
