#![doc = include_str!("../README.md")]

#[cfg(feature = "_cloud")]
mod cloud;
#[cfg(feature = "fs")]
mod fs;
mod hints;
