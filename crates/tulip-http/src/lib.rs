#![doc = include_str!("../README.md")]

// `api` and `download` use `transport` but not each other; `client` joins them.
mod advice;
mod api;
mod builder;
mod client;
mod deadline;
mod download;
mod endpoint;
mod error;
mod retry;
mod transport;

pub use advice::Advice;
pub use api::{ApiProbe, Settings, SettingsError, StartAttempts};
pub use builder::ClientBuilder;
pub use client::{Client, FromEnvError};
pub use download::{Checkpoint, Download, Piece};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use http;
pub use retry::{Attempt, ExponentialBackoff, NeverRetry, RetryDecision, RetryPolicy};
pub use transport::{
    BuildError, Cidr, CidrError, EnvProxy, Transport, TransportBody, TransportError, Upload,
    error_for_status,
};
