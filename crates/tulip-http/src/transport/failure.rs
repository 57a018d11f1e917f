//! The HTTP library's errors, reduced to a kind and a cause.

use std::error::Error as StdError;

use tulip_core::redact_urls;

use super::address::RefusedAddress;

/// The class of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Connect,
    Tls,
    Timeout,
    ConnectionLost,
    /// The server does not speak HTTP, or its head is too large.
    Unreadable,
    AddressRefused,
    /// No request can be made: a bad URI or header.
    InvalidRequest,
}

/// Why a request has no response, or only part of one. Holds no URL.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) cause: String,
}

impl Failure {
    /// Strips the URL before it reads anything from `error`.
    pub(crate) fn new(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let refused = chain(&error).find_map(|cause| cause.downcast_ref::<RefusedAddress>());
        match refused {
            Some(refused) => refused.clone().into(),
            None => Self {
                kind: kind_of(&error),
                cause: cause_of(&error),
            },
        }
    }
}

impl From<RefusedAddress> for Failure {
    fn from(refused: RefusedAddress) -> Self {
        Self {
            kind: FailureKind::AddressRefused,
            cause: refused.to_string(),
        }
    }
}

/// Classifies an error. A failed connection is checked before timeouts, because it can be both, and
/// without a connection a request is always safe to repeat.
fn kind_of(error: &reqwest::Error) -> FailureKind {
    if chain(error).any(is_tls) {
        FailureKind::Tls
    } else if chain(error).any(is_unreadable) {
        FailureKind::Unreadable
    } else if error.is_connect() {
        FailureKind::Connect
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else {
        FailureKind::ConnectionLost
    }
}

/// TLS errors arrive inside nested I/O errors, whose `source` skips the error that they wrap.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

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

/// Puts a system's message in the middle of a sentence, without the error number.
fn in_words(text: &str) -> String {
    let text = text.split_once(" (os error").map_or(text, |(text, _)| text);
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Returns the system's own words if it refused; otherwise the last two texts of the chain, which
/// say most, without repetition.
fn cause_of(error: &reqwest::Error) -> String {
    let system = chain(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if let Some(error) = system.last()
        && error.raw_os_error().is_some()
    {
        return in_words(&error.to_string());
    }
    let mut texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.dedup_by(|next, kept| kept.contains(next.as_str()));
    let tail = texts.len().saturating_sub(2);
    redact_urls(&texts[tail..].join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_quoted_in_words() {
        let refused = "Connection refused (os error 111)";
        assert_eq!(in_words(refused), "connection refused");
        assert_eq!(in_words("no route"), "no route");
        assert_eq!(in_words(""), "");
    }
}
