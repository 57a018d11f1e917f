//! Plain HTTP: clients, TLS, addresses, failures. Knows nothing of Tulip.

mod address;
mod build;
mod build_error;
mod client;
mod connections;
mod env_proxy;
mod failure;
mod gate;
mod message;
mod proxy;
mod self_signed;
mod staged_upload;
mod tls;
mod transport_error;
mod upload;
mod watched;

pub(crate) use address::{AddressPolicy, FilteringResolver};
pub use address::{Cidr, CidrError};
pub(crate) use build::{HttpOptions, OWN_NAME};
pub use build_error::BuildError;
pub use client::{Transport, TransportBody};
pub(crate) use connections::Connections;
pub use env_proxy::EnvProxy;
pub(crate) use failure::{Failure, FailureKind};
pub(crate) use gate::{RateLimitGate, RateLimitGates};
pub(crate) use message::{
    code_of_xml, date, element, is_html, is_markup, read, retry_after, title_of,
};
pub(crate) use proxy::Proxies;
pub use transport_error::{TransportError, error_for_status};
pub use upload::Upload;
