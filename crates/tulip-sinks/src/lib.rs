#![doc = include_str!("../README.md")]

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod cloud;
#[cfg(feature = "fs")]
mod fs;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod object;
