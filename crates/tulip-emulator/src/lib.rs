#![doc = include_str!("../README.md")]

mod api;
mod asset;
mod body;
mod builder;
mod clock;
mod content;
mod csv;
mod emulator;
mod error;
mod fault;
mod gzip;
mod instance;
mod jobs;
mod log;
mod machines;
mod presign;
mod random;
mod range;
mod respond;
mod script;
mod server;
mod tokens;
mod wire;

pub use builder::EmulatorBuilder;
pub use content::Content;
pub use csv::{CsvArchive, CsvError, MachineKind};
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use fault::{ContentFault, Endpoint, Fault, RangeFault, Reply};
pub use jobs::JobInfo;
pub use log::{ApiRequest, AssetRequest, JobRequests, Requests};
pub use script::JobScript;
pub use tokens::TokenKind;
