//! Lists that come in pages, and those that never end.

use std::error::Error as StdError;
use std::fmt;

use http::{Method, Uri};
use object_store::client::HttpRequest;

use super::error_codes::tag;

/// A list that cannot be followed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokenList {
    /// It says that there is more, and not where.
    NoToken,
    /// It leads back to a page that was there already.
    Repeats,
}

impl fmt::Display for BrokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "the list says that there is more, and not how to go on",
            Self::Repeats => "the list leads back to a page that it has given already",
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

/// Whether a request asks for a page of S3's or Google's list of objects, whose end the store
/// library tells by the token alone.
pub(super) fn is_list(request: &HttpRequest) -> bool {
    let asks = |uri: &Uri| {
        let query = uri.query().unwrap_or_default();
        query.split('&').any(|pair| pair == "list-type=2")
    };
    request.method() == Method::GET && asks(request.uri())
}

/// Refuses a page that is not the last and does not name the next.
pub(super) fn check(page: &[u8]) -> Result<(), BrokenList> {
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
}
