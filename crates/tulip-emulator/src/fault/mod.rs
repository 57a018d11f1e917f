//! Faults that a test requests.

mod content;
mod queue;
mod range;
mod reply;

use std::time::Duration;

use bytes::Bytes;
use http::Uri;

pub use self::content::ContentFault;
pub(crate) use self::queue::Faults;
pub(crate) use self::range::Part;
pub use self::range::RangeFault;
pub use self::reply::Reply;

/// The kinds of requests.
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
    /// Nothing: the request is served. Lets some requests pass before the next fault.
    None,
    /// This reply is sent, and nothing is done.
    Reply(Reply),
    /// A 307 redirect to the requested URL itself; nothing is done.
    RedirectLoop,
    /// The connection is closed without a reply, and nothing is done.
    Hangup,
    /// The request is served, but the connection is closed before a byte of the reply is sent.
    LostReply,
    /// The request is served, but the connection is closed after this many bytes of the body. A
    /// shorter body arrives whole; so does one of this length if its length is announced. This also
    /// applies to the faults below.
    Cut {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// Like [`Fault::Cut`], but the URL of the request also serves no more than these bytes: after
    /// them, it counts as expired. On the API this is only a cut.
    Expire {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The request is served, but after this many bytes of the body nothing more is sent, while the
    /// connection stays open.
    Stall {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The request is served, but the connection is reset after this many bytes of the body. Fewer
    /// arrive if the client reads slowly: a reset loses what is in flight.
    Reset {
        /// Bytes of the body that are sent.
        after: u64,
    },
    /// The request is served, but after some bytes the body is sent in pieces, with a pause before
    /// each, by tokio's clock.
    Drip {
        /// Bytes of the body that are sent at once.
        after: u64,
        /// Bytes of each piece, at least one.
        piece: u64,
        /// The time before each piece.
        pause: Duration,
    },
    /// The request is served in chunks, and endless blanks follow the body.
    Endless,
    /// The request is served in endless pieces, with a pause before each, by tokio's clock: the
    /// body, then blanks. No length is announced. The connection is never silent and never done.
    Trickle {
        /// Bytes of each piece, at least one.
        piece: u64,
        /// The time before each piece.
        pause: Duration,
    },
    /// The request is served, but these bytes precede the body, such as a byte order mark before
    /// JSON.
    Before(Bytes),
    /// The request is served, and after its reply these bytes follow on the connection: more than
    /// was announced.
    Surplus(Bytes),
    /// A ranged reply is not what was asked for. No effect on whole replies or on the API.
    Range(RangeFault),
    /// Another object has replaced the archive, with another `ETag`. It has the same length but
    /// other characters, unless [`JobScript::replacement`] is set. No effect on the API.
    ///
    /// [`JobScript::replacement`]: crate::JobScript::replacement
    Replaced,
}

impl Fault {
    /// Returns the reply sent instead of serving a request for `uri`, if any.
    pub(crate) fn instead(&self, uri: &Uri) -> Option<Reply> {
        match self {
            Self::Reply(reply) => Some(reply.clone()),
            Self::RedirectLoop => Some(Reply::redirect(307, uri.to_string())),
            _ => None,
        }
    }
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}
