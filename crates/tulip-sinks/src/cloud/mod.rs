//! Cloud object stores, and stores that speak their protocols.
//!
//! A cloud's own module (`s3`, `gcs`, `azure`) sets up its clients, and `factory` makes a sink of
//! them. A sink's `writer` cuts an object into parts within a `budget` and sends them to a
//! `destination`, which commits it. `error` explains what a store refuses.

#[cfg(feature = "azure")]
mod azure;
mod budget;
mod clients;
mod connection;
mod connector;
mod destination;
mod error;
mod error_codes;
mod factory;
#[cfg(feature = "gcs")]
mod gcs;
mod lister;
mod metadata;
mod options;
mod pages;
mod probe;
mod reader;
#[cfg(feature = "s3")]
mod s3;
mod sink;
#[cfg_attr(
    not(any(feature = "s3", feature = "gcs")),
    expect(dead_code, reason = "Azure ends unfinished uploads by itself")
)]
mod stale_uploads;
mod upload;
mod writer;
