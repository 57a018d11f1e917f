//! Faults that a test asks for.

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
    /// A redirect, 307, to the very URL that was asked for; nothing is done.
    RedirectLoop,
    /// The connection is closed without a reply, and nothing is done.
    Hangup,
    /// The request is served, but the connection is closed before a byte of the reply is sent.
    LostReply,
    /// The request is served, but the connection is closed after this many bytes of the body. A
    /// body that is no longer than that comes whole; so it is with the faults below.
    Cut {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// As [`Fault::Cut`], and the URL of the request brings no more than these bytes: from then
    /// on it counts as expired. On the API it is a cut and nothing else.
    Expire {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The request is served, but after this many bytes of the body nothing more comes, while
    /// the connection stays open.
    Stall {
        /// Bytes of the body that arrive.
        after: u64,
    },
    /// The request is served, but the connection is reset after this many bytes of the body.
    /// Fewer arrive when the client is slow to read: a reset loses what is under way.
    Reset {
        /// Bytes of the body that are sent.
        after: u64,
    },
    /// The request is served, but after some bytes the body comes in pieces, with a pause before
    /// each, by tokio's clock.
    Drip {
        /// Bytes of the body that come at once.
        after: u64,
        /// Bytes of each piece, at least one.
        piece: u64,
        /// The time before each piece.
        pause: Duration,
    },
    /// The request is served in chunks, and when the body is over, blanks follow without end.
    Endless,
    /// The request is served in pieces without end, with a pause before each, by tokio's clock: the
    /// body, and then blanks. No length is announced. A connection that is never silent and never
    /// done.
    Trickle {
        /// Bytes of each piece, at least one.
        piece: u64,
        /// The time before each piece.
        pause: Duration,
    },
    /// The request is served, but these bytes come before its body: a byte order mark before JSON.
    Before(Bytes),
    /// The request is served, and when its reply is over, these bytes follow it on the
    /// connection: more than was announced.
    Surplus(Bytes),
    /// A ranged reply is not what was asked for. Without effect on whole replies, and on the API.
    Range(RangeFault),
    /// Another object stands where the archive stood, with another `ETag`: of the same length,
    /// but with other characters, unless [`JobScript::replacement`] has it otherwise. Without
    /// effect on the API.
    ///
    /// [`JobScript::replacement`]: crate::JobScript::replacement
    Replaced,
}

impl Fault {
    /// The reply that takes the place of serving a request for `uri`, if any does.
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
