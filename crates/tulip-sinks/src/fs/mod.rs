//! Local files: staged beside their target, synced to disk, then renamed.
//!
//! `factory` makes the sink, and `sink` implements the contract. A `writer` gathers chunks into
//! `part`s and writes them into a `staged_file` at their offsets (with `direct_io` if the file
//! system supports it). `commit` then gives the file its name. `sys` holds what differs between
//! operating systems.

mod blocking;
mod destination;
#[cfg(target_os = "linux")]
mod direct_io;
mod error;
mod factory;
mod folder;
mod lister;
mod names;
mod options;
mod part;
mod probe;
mod reader;
mod sink;
mod staged_file;
mod sweep;
mod sys;
mod writer;

tulip_core::register_sink!(factory::FsFactory);
