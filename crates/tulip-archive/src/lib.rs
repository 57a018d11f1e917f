#![doc = include_str!("../README.md")]

mod admission;
mod builder;
mod cancellation;
mod context;
mod csv;
mod digest;
mod error;
mod event;
mod export;
mod exporter;
mod if_exists;
mod inspect;
mod outcome;
mod pipeline;
pub mod poll;
mod read_back;
mod receipts;
mod recovery;
mod repair;
mod setup;
mod source;
pub mod state;
mod target;
mod template;
mod verify;

// Links the built-in sinks, so that they register themselves.
use tulip_sinks as _;

pub use admission::{Admission, Permit, Turn};
pub use builder::ExporterBuilder;
pub use cancellation::EndReason;
pub use csv::{FinalLineBreak, Framing, FramingError, FramingRules, RaggedRecords};
pub use error::{Advice, ExportError, ExportErrorKind};
pub use event::Event;
pub use export::Export;
pub use exporter::Exporter;
pub use if_exists::IfExists;
pub use inspect::{InspectError, Inspection, Inspector};
pub use outcome::{CreateOnly, Outcome};
pub use receipts::RUNS_FOLDER;
pub use repair::Repair;
pub use source::Source;
pub use state::{
    DiscardError, IncompleteExport, MemoryStateStore, StateError, StateErrorKind, StateStore,
};
pub use target::parse_target;
pub use template::{Field, KeyTemplate, TemplateError};
pub use verify::{Verification, VerificationStatus, Verifier, VerifyProgress};

pub use tulip_core::{
    self as core, Checksum, ChecksumAlgorithm, JobId, MachineId, ObjectKey, Receipt,
};
pub use tulip_http::{self as http, Client, Settings};
