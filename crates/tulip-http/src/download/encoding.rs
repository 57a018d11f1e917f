//! The `Content-Encoding` and `Transfer-Encoding` of a body.

use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use tulip_core::one_line;

/// Values of `Content-Encoding` that are not compression: hosts repeat there what a client has
/// stored with the object, such as a charset or the framing of an upload.
const NO_CODINGS: [&str; 16] = [
    "identity",
    "none",
    "null",
    "binary",
    "raw",
    "plain",
    "text",
    "7bit",
    "8bit",
    "utf-8",
    "utf8",
    "us-ascii",
    "ascii",
    "iso-8859-1",
    "windows-1252",
    "aws-chunked",
];

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// After this many bytes, as `Content-Length` says.
    Length(u64),
    /// After the last chunk. `Content-Length`, which should not be there, may give the size.
    Chunks(Option<u64>),
    /// With the connection, even if that is too early.
    Connection,
}

/// Returns the name of the first coding that changes the bytes of a body.
pub(super) fn coding(headers: &HeaderMap) -> Option<String> {
    // The HTTP library does not undo transfer codings other than `chunked` either.
    let transfer = values(headers, &TRANSFER_ENCODING).filter(|coding| coding != "chunked");
    let content = values(headers, &CONTENT_ENCODING);
    let content = content.map(|coding| coding.trim_matches('"').to_owned());
    content
        .chain(transfer)
        .find(|coding| !coding.is_empty() && !NO_CODINGS.contains(&coding.as_str()))
        .map(|coding| one_line(&coding, 40))
}

/// Returns how a body ends whose length is `known` to the HTTP library. If the last transfer coding
/// is not `chunked`, the library ignores the length and reads to the end of the connection.
pub(super) fn end(headers: &HeaderMap, known: Option<u64>) -> BodyEnd {
    match (values(headers, &TRANSFER_ENCODING).last(), known) {
        (Some(last), _) if last == "chunked" => BodyEnd::Chunks(length(headers)),
        (None, Some(length)) => BodyEnd::Length(length),
        _ => length(headers).map_or(BodyEnd::Connection, BodyEnd::Length),
    }
}

/// Returns the `Content-Length`, if the head has exactly one.
fn length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next()?.to_str().ok()?.trim();
    let is_number = lengths.next().is_none() && length.bytes().all(|byte| byte.is_ascii_digit());
    length.parse().ok().filter(|_| is_number)
}

/// Returns the items of all headers `name`, in lower case.
fn values(headers: &HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = String> {
    let mut items = Vec::new();
    for value in headers.get_all(name) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let parts = text.split(',').map(str::trim);
        items.extend(parts.filter(|item| !item.is_empty()).map(str::to_owned));
    }
    items.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| (name.clone(), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn only_real_codings_are_found_and_named() {
        for (value, expected) in [
            ("", None),
            ("identity", None),
            ("Identity, UTF-8", None),
            ("aws-chunked", None),
            ("aws-chunked,", None),
            ("binary", None),
            ("none", None),
            ("8BIT", None),
            ("7bit", None),
            ("gzip", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("x-gzip", Some("x-gzip")),
            ("aws-chunked, gzip", Some("gzip")),
            ("identity,br", Some("br")),
            ("deflate", Some("deflate")),
            ("zstd", Some("zstd")),
            ("compress", Some("compress")),
            ("rot13", Some("rot13")),
        ] {
            let found = coding(&headers(CONTENT_ENCODING, &[value]));
            assert_eq!(found.as_deref(), expected, "{value:?}");
        }
        let two = headers(CONTENT_ENCODING, &["identity", "gzip"]);
        assert_eq!(coding(&two).as_deref(), Some("gzip"));
        let transfer = headers(TRANSFER_ENCODING, &["gzip, chunked"]);
        assert_eq!(coding(&transfer).as_deref(), Some("gzip"));
        assert_eq!(coding(&HeaderMap::new()), None);
    }

    #[test]
    fn a_body_whose_last_transfer_coding_is_not_chunked_has_its_length_compared() {
        for (transfer, expected) in [
            (&["chunked"][..], BodyEnd::Chunks(Some(9))),
            (&["Chunked "], BodyEnd::Chunks(Some(9))),
            (&["identity, chunked"], BodyEnd::Chunks(Some(9))),
            (&["identity", "chunked"], BodyEnd::Chunks(Some(9))),
            // The HTTP library does not accept it as chunked.
            (&["\"chunked\""], BodyEnd::Length(9)),
            (&["identity"], BodyEnd::Length(9)),
            (&["chunked, identity"], BodyEnd::Length(9)),
            (&[], BodyEnd::Length(9)),
        ] {
            let mut head = headers(TRANSFER_ENCODING, transfer);
            head.insert(CONTENT_LENGTH, "9".parse().unwrap());
            assert_eq!(end(&head, None), expected, "{transfer:?}");
        }
        let chunked = headers(TRANSFER_ENCODING, &["chunked"]);
        assert_eq!(end(&chunked, None), BodyEnd::Chunks(None));
        let quoted = headers(TRANSFER_ENCODING, &["\"chunked\""]);
        assert_eq!(coding(&quoted).as_deref(), Some("\"chunked\""));
        let identity = headers(TRANSFER_ENCODING, &["identity"]);
        assert_eq!(end(&identity, None), BodyEnd::Connection);
        assert_eq!(end(&HeaderMap::new(), None), BodyEnd::Connection);
        assert_eq!(end(&HeaderMap::new(), Some(7)), BodyEnd::Length(7));
        let two = headers(CONTENT_LENGTH, &["9", "9"]);
        assert_eq!(end(&two, None), BodyEnd::Connection);
    }
}
