#![doc = include_str!("../README.md")]

mod api_error;
mod byte_size;
mod checksum;
#[cfg(feature = "conformance")]
pub mod conformance;
mod credentials;
mod duration;
mod id;
mod instance;
mod job;
mod key;
mod lenient;
mod machine;
mod network;
mod receipt;
mod redact;
mod resource;
mod scope;
pub mod sink;
mod timestamp;

pub use api_error::ApiErrorBody;
pub use byte_size::{format_byte_size, parse_byte_size};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumError};
pub use credentials::{Credentials, CredentialsError};
pub use duration::format_duration;
pub use id::{IdError, JobId, MachineId, WorkspaceId};
pub use instance::{InstanceUrl, InstanceUrlError};
pub use job::{ArchiveJob, JobStatus};
pub use key::{ObjectKey, ObjectKeyError};
pub use machine::{Machine, MachineType, UnusableMachine};
pub use network::NetworkOptions;
pub use receipt::{Receipt, ReceiptObject, Tool};
pub use redact::{one_line, redact_urls};
pub use resource::{RawResource, ResourceUrl, ResourceUrlError};
pub use scope::{Scope, UnknownScope};
pub use timestamp::{Timestamp, TimestampError};

#[doc(hidden)]
pub use inventory as __inventory;
