//! From the HTTP stack's errors to ours.

use std::error::Error as StdError;

use tulip_core::redact_urls;

use crate::Endpoint;
use crate::address::RefusedAddress;
use crate::error::{Error, ErrorKind};

/// Maps an error of the HTTP stack. Its URL is stripped before anything is read from it.
pub(crate) fn from_transport(error: reqwest::Error, endpoint: Endpoint) -> Error {
    let error = error.without_url();
    let refused = chain(&error).find_map(|cause| cause.downcast_ref::<RefusedAddress>());
    if let Some(refused) = refused {
        return refused_address(refused, endpoint);
    }
    let kind = kind_of(&error);
    let cause = cause_of(&error);
    Error::new(kind, endpoint).with_cause(cause)
}

/// A download that would go where only this machine or its network can.
pub(crate) fn refused_address(refused: &RefusedAddress, endpoint: Endpoint) -> Error {
    Error::new(ErrorKind::AddressRefused, endpoint).with_found(refused.to_string())
}

/// A connection that was never made is always safe to repeat, so that is asked before timeouts,
/// which it can also be.
pub(crate) fn kind_of(error: &reqwest::Error) -> ErrorKind {
    if chain(error).any(is_tls) {
        ErrorKind::Tls
    } else if chain(error).any(is_unreadable) {
        ErrorKind::InvalidReply
    } else if error.is_connect() {
        ErrorKind::Connect
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Interrupted
    }
}

/// TLS errors reach us inside I/O errors, one in the other, whose `source` skips what they wrap.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

/// What answers does not speak HTTP, or has a head too large to be held.
fn is_unreadable(error: &(dyn StdError + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(hyper::Error::is_parse)
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}

/// The most telling texts of the chain: its end, with what stands before it if that adds
/// something.
pub(crate) fn cause_of(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.dedup_by(|next, kept| kept.contains(next.as_str()));
    let tail = texts.len().saturating_sub(2);
    redact_urls(&texts[tail..].join(": "))
}
