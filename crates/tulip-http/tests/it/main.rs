//! The client against real servers on loopback.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod api;
mod asset;
mod hostile;
mod server;
mod tls;
mod types;
mod upload;
