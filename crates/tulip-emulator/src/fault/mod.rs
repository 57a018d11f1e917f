//! Faults that a test asks for.

mod queue;
mod reply;

pub(crate) use self::queue::Faults;
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
