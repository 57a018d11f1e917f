//! What every sink over an `object_store` is made of.

pub(crate) mod attributes;
pub(crate) mod error;
pub(crate) mod parts;
pub(crate) mod read;
pub(crate) mod settings;
pub(crate) mod staging;
pub(crate) mod store;
pub(crate) mod target;
pub(crate) mod writer;
