//! Waiting for an archive job.
//!
//! A [`Poller`] yields what every status call says; [`Poller::until_complete`] is a loop over it.
//! When to ask again and what to make of an answer is decided by pure functions, apart from the
//! calls.

mod policy;
mod poller;
mod tracker;

pub use policy::PollPolicy;
pub use poller::{Complete, PollError, PollState, Poller};
