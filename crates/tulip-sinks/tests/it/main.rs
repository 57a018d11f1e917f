//! The built-in sinks, through their public contract.
#![cfg(any(feature = "fs", feature = "s3"))]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod conformance;
#[cfg(feature = "fs")]
mod fs;
#[cfg(feature = "s3")]
mod s3;
#[cfg(all(feature = "s3", feature = "azure"))]
mod secrets;
mod support;
