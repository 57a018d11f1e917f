//! Whole exports against a Tulip emulator over loopback.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod admission;
mod embed;
mod export;
mod interrupted;
mod poll;
mod replacing;
mod resume;
mod sink;
mod split;
mod support;
mod types;
mod verify;
