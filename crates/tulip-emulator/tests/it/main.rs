//! The emulator as a client sees it, over loopback.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod api;
mod archive;
mod asset;
mod bench;
mod broken;
mod client;
mod content;
mod encoding;
mod faults;
mod jobs;
mod lifecycle;
mod odd_hosts;
mod per_job;
mod ranges;
mod replies;
mod urls;
