#![doc = include_str!("../README.md")]

#[cfg(feature = "fs")]
mod error;
#[cfg(feature = "fs")]
mod fs;
#[cfg(feature = "fs")]
mod staging;
#[cfg(feature = "fs")]
mod store;
#[cfg(feature = "fs")]
mod writer;
