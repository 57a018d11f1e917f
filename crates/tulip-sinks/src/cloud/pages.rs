//! Lists that come in pages: those that never end, and keys that would end one early.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;
use http::Method;
use object_store::client::HttpRequest;
use object_store::path::Path;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error_codes::tag;

/// A list that cannot be followed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokenList {
    /// It says that there is more, but not where.
    NoToken,
    /// It leads back to an earlier page.
    Repeats,
}

impl fmt::Display for BrokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "the list is truncated, but has no continuation token",
            Self::Repeats => "the list repeats a continuation token",
        })
    }
}

impl StdError for BrokenList {}

impl From<BrokenList> for object_store::Error {
    fn from(broken: BrokenList) -> Self {
        Self::Generic {
            store: "list",
            source: Box::new(broken),
        }
    }
}

/// The kind of list that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// S3's or Google's.
    S3,
    Azure,
}

impl List {
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let query = request.uri().query().unwrap_or_default();
        let asks = |pair| query.split('&').any(|given| given == pair);
        match request.method() == Method::GET {
            true if asks("list-type=2") => Some(Self::S3),
            true if asks("comp=list") => Some(Self::Azure),
            _ => None,
        }
    }

    /// Replaces the keys that `object_store` refuses. Refuses an S3 page that is not the last but
    /// does not name the next.
    pub(super) fn read(self, page: Bytes) -> Result<Bytes, BrokenList> {
        match self {
            Self::S3 => {
                // `object_store` takes a missing token for the end.
                check(&page)?;
                Ok(with_names(page, "Key"))
            }
            Self::Azure => Ok(with_names(page, "Name")),
        }
    }
}

/// The prefix of the replacement for a key that `object_store` refuses, such as `a//b`. The key
/// itself would end the whole list.
const REFUSED: &str = ".tulip-refused-key=";

/// Replaces each key that `object_store` refuses with one that it accepts.
fn with_names(page: Bytes, tag: &str) -> Bytes {
    let Ok(text) = std::str::from_utf8(&page) else {
        return page;
    };
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let (mut named, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, key, behind)) = between(rest, &open, &close) {
        named.extend([before, &open]);
        match quick_xml::escape::unescape(key) {
            Ok(plain) if Path::parse(&*plain).is_err() => {
                named.push_str(REFUSED);
                named.extend(utf8_percent_encode(&plain, NON_ALPHANUMERIC));
            }
            _ => named.push_str(key),
        }
        named.push_str(&close);
        rest = behind;
    }
    named.push_str(rest);
    named.into()
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (inner, behind) = rest.split_once(close)?;
    Some((before, inner, behind))
}

/// Returns the key that `object_store` would have refused, if `path` stands for one.
pub(super) fn refused_key(path: &Path) -> Option<String> {
    let encoded = path.as_ref().strip_prefix(REFUSED)?;
    Some(percent_decode_str(encoded).decode_utf8_lossy().into_owned())
}

/// Refuses a page that is not the last but does not name the next.
fn check(page: &[u8]) -> Result<(), BrokenList> {
    let page = String::from_utf8_lossy(page);
    let truncated = tag(&page, "IsTruncated") == Some("true");
    let token = tag(&page, "NextContinuationToken").unwrap_or_default();
    match truncated && token.is_empty() {
        true => Err(BrokenList::NoToken),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_the_last_names_the_next() {
        let page =
            |inner: &str| check(format!("<ListBucketResult>{inner}</ListBucketResult>").as_bytes());
        let more = "<IsTruncated>true</IsTruncated>";
        let token = "<NextContinuationToken>a</NextContinuationToken>";
        assert_eq!(page(""), Ok(()));
        assert_eq!(page("<IsTruncated>false</IsTruncated>"), Ok(()));
        assert_eq!(page(&format!("{more}{token}")), Ok(()));
        assert_eq!(page(more), Err(BrokenList::NoToken));
        let empty = "<NextContinuationToken></NextContinuationToken>";
        assert_eq!(page(&format!("{more}{empty}")), Err(BrokenList::NoToken));
    }

    #[test]
    fn keys_that_would_end_a_list_are_named_otherwise_and_can_be_told() {
        let page = |keys: [&str; 3]| {
            let contents = keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
            format!("<ListBucketResult>{}</ListBucketResult>", contents.concat())
        };
        let usable = page(["a/b.csv", "a &amp; b", ".tulip"]);
        let read = List::S3.read(usable.clone().into()).unwrap();
        assert_eq!(read, usable);
        for (key, plain) in [
            ("a//b", "a//b"),
            ("../&amp;", "../&"),
            ("x/&#x1;", "x/\u{1}"),
        ] {
            let read = List::S3.read(page(["first", key, "last"]).into()).unwrap();
            let read = std::str::from_utf8(&read).unwrap();
            let (_, named, rest) = between(read, "<Key>.", "</Key>").unwrap();
            let path = Path::parse(format!(".{named}")).unwrap();
            assert_eq!(refused_key(&path).as_deref(), Some(plain));
            assert!(rest.contains("<Key>last</Key>"), "{rest}");
        }
        let blobs = Bytes::from("<Blob><Name>a//b</Name></Blob>");
        let read = List::Azure.read(blobs).unwrap();
        assert!(!read.windows(2).any(|pair| pair == b"//"));
    }
}
