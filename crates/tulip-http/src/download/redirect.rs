//! Redirects from the host of an asset.

use reqwest::Response;
use reqwest::header::LOCATION;
use tulip_core::{ResourceUrl, ResourceUrlError};

use crate::Endpoint;
use crate::error::{Error, ErrorKind};

/// How many redirects one request follows.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Returns where `response` redirects a request for `from`, or `None` if it does not.
pub(super) fn target(
    from: &ResourceUrl,
    response: &Response,
) -> Result<Option<ResourceUrl>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let location = ascii(location.as_bytes());
    // An absolute URL is used as it is.
    let resource = match location.contains("://") {
        true => Some(ResourceUrl::parse(&location)),
        false => {
            let joined = from.expose().join(&location).ok();
            joined.map(|url| ResourceUrl::parse(url.as_str()))
        }
    };
    let found = match resource {
        Some(Ok(next)) if from.is_https() && !next.is_https() => "it leaves https",
        Some(Ok(next)) => return Ok(Some(next)),
        Some(Err(ResourceUrlError::UserInfo { .. })) => "it carries a user name or password",
        Some(Err(ResourceUrlError::Scheme { .. })) => "it leaves http and https",
        Some(Err(ResourceUrlError::Unsendable { .. } | ResourceUrlError::TooLong { .. })) => {
            "HTTP clients would rewrite its URL"
        }
        Some(Err(_)) | None => "its Location is not a URL",
    };
    let error = Error::new(ErrorKind::Redirect, Endpoint::asset(from)).with_found(found);
    Err(error.with_status(response.status().as_u16()))
}

/// Percent-encodes the non-ASCII bytes of a header's value. Hosts send raw UTF-8 and Latin-1, and
/// expect to be asked for the same bytes.
fn ascii(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte.is_ascii() {
            true => text.push(char::from(*byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(location: &[u8]) -> Result<Option<String>, Error> {
        let from = ResourceUrl::parse("https://h.example/a/b?sig=1").unwrap();
        let response = http::Response::builder()
            .status(302)
            .header("location", location)
            .body("")
            .unwrap();
        let target = target(&from, &response.into())?;
        Ok(target.map(|url| url.expose().to_string()))
    }

    #[test]
    fn raw_utf_8_and_latin_1_reach_the_host_as_they_were_sent() {
        for (location, expected) in [
            (
                "/Störung.csv".as_bytes(),
                "https://h.example/St%C3%B6rung.csv",
            ),
            (b"/St\xf6rung.csv", "https://h.example/St%F6rung.csv"),
            (b"https://o.example/\xe9?x=1", "https://o.example/%E9?x=1"),
            (b"c?sig=2", "https://h.example/a/c?sig=2"),
            (b"//o.example/c", "https://o.example/c"),
        ] {
            assert_eq!(next(location).unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for location in [
            b"http://h.example/".as_slice(),
            b"ftp://h.example/",
            b"https://u:p@h.example/",
            b"https://",
        ] {
            assert!(next(location).is_err());
        }
    }
}
