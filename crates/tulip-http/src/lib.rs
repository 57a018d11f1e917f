#![doc = include_str!("../README.md")]

mod address;
mod asset;
mod builder;
mod client;
mod download;
mod endpoint;
mod error;
mod failure;
mod hold;
mod redirect;
mod reply;
mod retry;
mod settings;
mod start;
mod tls;
mod transport;

pub use address::{Network, NetworkError};
pub use asset::Position;
pub use builder::{BuildError, ClientBuilder};
pub use client::{Client, FromEnvError};
pub use download::{Download, Piece};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use retry::{Attempt, ExponentialBackoff, NoRetry, RetryPolicy, Verdict};
pub use settings::{Settings, SettingsError};
pub use start::StartAttempts;
pub use transport::{Transport, TransportBody, TransportError};
