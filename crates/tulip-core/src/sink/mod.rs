//! The contract between an export and the store that keeps its archives.
//!
//! A [`Sink`] opens an object under a key and returns a [`SinkWriter`]. Chunks are written in
//! order; then the writer is closed, which makes the object visible, or aborted, which leaves
//! nothing. A [`SinkFactory`] makes sinks from URLs of its scheme. It is found in a
//! [`SinkRegistry`], which [`register_sink!`](crate::register_sink) fills at link time.
//!
//! A complete sink that keeps objects in memory:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use bytes::Bytes;
//! use tulip_core::ObjectKey;
//! use tulip_core::sink::{
//!     OpenOptions, Sink, SinkError, SinkErrorKind, SinkWriter, StoredObject, WriteMode, async_trait,
//! };
//!
//! #[derive(Debug, Default)]
//! struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);
//!
//! struct Object { sink: Arc<Mutex<BTreeMap<String, Vec<u8>>>>, key: String, bytes: Vec<u8> }
//!
//! #[async_trait]
//! impl Sink for Memory {
//!     fn scheme(&self) -> &str { "memory" }
//!     fn location(&self, key: &ObjectKey) -> String { format!("memory://{key}") }
//!     async fn open(
//!         &self,
//!         key: &ObjectKey,
//!         options: &OpenOptions,
//!     ) -> Result<Box<dyn SinkWriter>, SinkError> {
//!         if options.mode == WriteMode::Create {
//!             let what = "the memory sink can only overwrite objects";
//!             return Err(SinkError::new(SinkErrorKind::Unsupported, what));
//!         }
//!         Ok(Box::new(Object { sink: self.0.clone(), key: key.to_string(), bytes: Vec::new() }))
//!     }
//! }
//!
//! #[async_trait]
//! impl SinkWriter for Object {
//!     async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
//!         self.bytes.extend_from_slice(&chunk);
//!         Ok(())
//!     }
//!     async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
//!         let stored = StoredObject::new(self.bytes.len() as u64);
//!         self.sink.lock().expect("not poisoned").insert(self.key, self.bytes);
//!         Ok(stored)
//!     }
//!     async fn abort(self: Box<Self>) -> Result<(), SinkError> { Ok(()) }
//! }
//! ```

#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod error;
mod factory;
mod factory_fn;
mod options;
mod read;
mod registration;
mod registry;
mod staged_name;
mod stale_upload;
mod url;

pub use async_trait::async_trait;

pub use contract::{
    CHUNK_ALIGNMENT, Capabilities, Metadata, OpenOptions, Probe, Resumed, Sink, SinkWriter,
    StoredObject, WriteMode,
};
pub use error::{SinkError, SinkErrorKind};
pub use factory::SinkFactory;
pub use factory_fn::FactoryFn;
pub use options::SinkOption;
pub use read::{Listed, SinkLister, SinkReader};
pub use registration::{SinkHint, SinkRegistration};
pub use registry::{RegistryError, SinkRegistry};
pub use staged_name::{staged_name, staged_target};
pub use stale_upload::StaleUpload;
pub use url::{SinkUrl, SinkUrlError};
