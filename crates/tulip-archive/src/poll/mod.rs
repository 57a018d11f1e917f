//! Waiting for an archive job.
//!
//! A [`Poller`] yields the answer to every status call; [`Poller::until_complete`] loops over them.
//! Pure functions, separate from the calls, decide when to call again and what an answer means.

mod policy;
mod poller;
mod tracker;

pub use policy::PollPolicy;
pub use poller::{Complete, PollError, PollState, Poller};
