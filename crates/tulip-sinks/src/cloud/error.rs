//! The mapping from a store's errors to sink errors.

use std::error::Error as StdError;

use object_store::Error as StoreError;
use tulip_core::one_line;
use tulip_core::sink::{SinkError, SinkErrorKind};
use tulip_http::{ErrorKind, TransportError};

use super::error_codes::{self, Explanation};
use super::pages::BrokenList;

/// The most characters of a store's message that are shown.
const MAX_SAID: usize = 300;

/// Maps `error`, which happened while doing `what` ("cannot write …"). The store's message is put
/// on one line, with URLs masked and without control characters.
pub(super) fn from_store(error: StoreError, what: impl Into<String>) -> SinkError {
    let text = error.to_string();
    let cause = cleaned(&error_codes::said(&text).unwrap_or_else(|| plain(&error)));
    match explain(&error, &text) {
        Some(why) => SinkError::new(why.kind, what)
            .with_reason(cleaned(&why.reason), cleaned(&why.advice))
            .with_source(cause),
        None => SinkError::new(kind(&error), what).with_source(cause),
    }
}

/// Whether the connection broke before the answer came, so that the request may or may not have
/// taken effect.
pub(super) fn is_broken_connection(error: &StoreError) -> bool {
    find::<TransportError>(error)
        .is_some_and(|transport| transport.kind() == ErrorKind::ConnectionLost)
}

/// A store's text, made fit for display.
pub(super) fn cleaned(text: &str) -> String {
    one_line(text, MAX_SAID)
}

fn explain(error: &StoreError, text: &str) -> Option<Explanation> {
    if error_codes::names_metadata_service(text) {
        return Some(error_codes::no_credentials());
    }
    if find::<BrokenList>(error).is_some() {
        return Some(Explanation::new(
            SinkErrorKind::Other,
            "the store's list does not end",
            "report it to the operator of the store",
        ));
    }
    if let Some(transport) = find::<TransportError>(error) {
        return Some(unreached(transport));
    }
    error_codes::explain(text)
}

/// The kind that `object_store` reports.
fn kind(error: &StoreError) -> SinkErrorKind {
    match error {
        StoreError::NotFound { .. } => SinkErrorKind::NotFound,
        StoreError::AlreadyExists { .. } => SinkErrorKind::AlreadyExists,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            SinkErrorKind::PermissionDenied
        }
        StoreError::InvalidPath { .. } => SinkErrorKind::InvalidTarget,
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            SinkErrorKind::Unsupported
        }
        _ => SinkErrorKind::Other,
    }
}

/// The message of an error without a store's text: a transport or list error's own says most.
fn plain(error: &StoreError) -> String {
    if let Some(transport) = find::<TransportError>(error) {
        return transport.to_string();
    }
    match find::<BrokenList>(error) {
        Some(broken) => broken.to_string(),
        None => error.to_string(),
    }
}

/// Explains why no answer came.
fn unreached(transport: &TransportError) -> Explanation {
    let (kind, reason, advice) = match transport.kind() {
        ErrorKind::Tls => (
            SinkErrorKind::InvalidTarget,
            "the store's certificate is not trusted",
            "trust its authority with a CA file",
        ),
        ErrorKind::Connect => (
            SinkErrorKind::Unavailable,
            "the store cannot be reached",
            "check the endpoint, the network and the proxy, then try again",
        ),
        _ => (
            SinkErrorKind::Unavailable,
            "the store does not answer",
            "try again later",
        ),
    };
    Explanation::new(kind, reason, advice)
}

/// Returns the first error of this type in the chain.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: &str, body: &str) -> SinkError {
        let source = format!("Server returned non-2xx status code: {status}: {body}");
        let error = StoreError::Generic {
            store: "S3",
            source: source.into(),
        };
        from_store(error, "cannot write s3://b/a.csv")
    }

    fn full(error: &SinkError) -> String {
        let cause = error.source().map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    }

    #[test]
    fn urls_in_a_stores_message_are_masked() {
        let error = StoreError::Generic {
            store: "S3",
            source: "PUT https://h/x?sig=5ig failed".into(),
        };
        let error = from_store(error, "cannot write a.csv");
        assert!(!format!("{error:?}").contains("5ig"));
    }

    #[test]
    fn what_a_store_says_goes_out_on_one_line_and_without_escapes() {
        let evil = "\u{1b}]0;pwned\u{7}\u{1b}[31mred\nERROR forged";
        for body in [
            format!("<Error><Code>Novel{evil}</Code><Message>{evil}</Message></Error>"),
            format!("<Error><Code>AccessDenied</Code><Message>{evil}</Message></Error>"),
            format!("<Error><Code>PermanentRedirect</Code><Region>{evil}</Region></Error>"),
            format!("<html><title>{evil}</title></html>"),
            evil.to_owned(),
        ] {
            for status in ["400 Bad Request", "413 Payload Too Large", "503 Slow"] {
                let said = full(&refused(status, &body));
                assert!(!said.chars().any(char::is_control), "{said:?}");
            }
        }
    }

    #[test]
    fn a_gateways_page_is_its_status_and_title_and_says_what_to_change() {
        let page = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n\
            <body>\r\n<center><h1>413</h1></center><hr><center>nginx</center></body></html>";
        let error = refused("413 Payload Too Large", page);
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
        assert_eq!(
            full(&error),
            "cannot write s3://b/a.csv: a proxy in front of the store refuses requests of this \
             size (raise its limit for bodies, or lower the option part_size): \
             HTTP 413 Payload Too Large: 413 Request Entity Too Large"
        );
        for (status, kind, words) in [
            (
                "405 Method Not Allowed",
                SinkErrorKind::InvalidTarget,
                "endpoint",
            ),
            (
                "502 Bad Gateway",
                SinkErrorKind::Unavailable,
                "try again later",
            ),
            (
                "500 Internal Server Error",
                SinkErrorKind::Unavailable,
                "try again later",
            ),
        ] {
            let error = refused(status, "<html><title>A page</title>\n<p>x</p></html>");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            let cause = error.source().unwrap().to_string();
            assert_eq!(cause, format!("HTTP {status}: A page"));
        }
        let bare = refused("418 I'm a teapot", "");
        assert_eq!(bare.source().unwrap().to_string(), "HTTP 418 I'm a teapot");
    }
}
