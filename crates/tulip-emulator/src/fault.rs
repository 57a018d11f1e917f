//! Faults that a test asks for.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tulip_core::ApiErrorBody;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /machines`.
    Machines,
    /// `POST /machines/archive/{machine}`.
    Start,
    /// `GET /machines/archive/csv/{job}`.
    Status,
    /// The download, on the asset host.
    Asset,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: this request is served. For letting some pass before the next fault.
    None,
    /// This reply is given, and nothing is done.
    Reply(Reply),
    /// The connection is closed without a reply, and nothing is done.
    Hangup,
    /// The request is served, but the connection is closed after this many bytes of the body.
    Cut {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The request is served, but after this many bytes of the body nothing more comes, while
    /// the connection stays open.
    Stall {
        /// Bytes of the body that arrive.
        after: u64,
    },
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

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

/// Faults that wait for their request.
#[derive(Debug, Default)]
pub(crate) struct Faults(HashMap<Endpoint, VecDeque<(usize, Fault)>>);

impl Faults {
    pub(crate) fn push(&mut self, endpoint: Endpoint, times: usize, fault: Fault) {
        if times > 0 {
            self.0
                .entry(endpoint)
                .or_default()
                .push_back((times, fault));
        }
    }

    /// The fault of the next request to `endpoint`.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Fault {
        let Some(queue) = self.0.get_mut(&endpoint) else {
            return Fault::None;
        };
        let Some((times, fault)) = queue.front_mut() else {
            return Fault::None;
        };
        *times -= 1;
        if *times > 0 {
            return fault.clone();
        }
        queue.pop_front().map_or(Fault::None, |(_, fault)| fault)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_as_often_as_asked_and_only_to_their_endpoint() {
        let mut faults = Faults::default();
        faults.push(Endpoint::Start, 2, Fault::Hangup);
        faults.push(Endpoint::Start, 0, Fault::Stall { after: 0 });
        faults.push(Endpoint::Start, 1, Reply::new(500).into());
        assert_eq!(faults.take(Endpoint::Status), Fault::None);
        assert_eq!(faults.take(Endpoint::Start), Fault::Hangup);
        assert_eq!(faults.take(Endpoint::Start), Fault::Hangup);
        assert_eq!(faults.take(Endpoint::Start), Fault::Reply(Reply::new(500)));
        assert_eq!(faults.take(Endpoint::Start), Fault::None);
    }
}
