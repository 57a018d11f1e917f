//! Reading what a server sent, without trusting it.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tulip_core::{ApiErrorBody, one_line};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::{Endpoint, failure};

/// The largest JSON reply that is read: tens of thousands of machines.
const MAX_REPLY: usize = 16 * 1024 * 1024;
/// The most that is read of an error's body.
const MAX_ERROR: usize = 64 * 1024;
/// How long an error's body is waited for.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is shown of a foreign text.
const MAX_SHOWN: usize = 200;

/// Hides what must not be echoed from a server's text.
pub(crate) type Scrub<'a> = &'a (dyn Fn(&str) -> String + Sync);

/// Reads a success as JSON.
pub(crate) async fn json<T: DeserializeOwned>(
    response: Response,
    endpoint: &Endpoint,
    scrub: Scrub<'_>,
) -> Result<T, Error> {
    let status = response.status();
    let invalid = |found: String| {
        let mut error = Error::new(ErrorKind::InvalidReply, endpoint.clone()).with_found(found);
        error.inner_mut().status = Some(status.as_u16());
        error
    };
    let html = is_html(response.headers());
    let (body, whole) = read(response, MAX_REPLY, endpoint).await?;
    if !whole {
        return Err(invalid(format!("it has over {MAX_REPLY} bytes")));
    }
    if html || body.trim_ascii_start().starts_with(b"<") {
        return Err(invalid(html_page(&body, scrub)));
    }
    if body.trim_ascii().is_empty() {
        return Err(invalid("it is empty".to_owned()));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let cut = error.is_eof();
        let found = if cut {
            "the JSON is cut off"
        } else {
            "it is not the JSON that was expected"
        };
        // The parser's message can quote the text that it stumbled over.
        let at = format!(
            "line {} column {}: {}",
            error.line(),
            error.column(),
            shown(&scrub(&error.to_string()))
        );
        invalid(found.to_owned()).with_cause(at)
    })
}

/// Turns a reply that is no success into an error with what the server said until `deadline`. The
/// status alone tells enough where the body does not come.
pub(crate) async fn refusal(
    response: Response,
    endpoint: &Endpoint,
    scrub: Scrub<'_>,
    deadline: Option<Instant>,
) -> Error {
    let status = response.status();
    let asset = matches!(endpoint, Endpoint::Asset { .. });
    let mut error = Error::new(kind_of(status, asset), endpoint.clone());
    error.inner_mut().status = Some(status.as_u16());
    error.inner_mut().retry_after = retry_after(response.headers(), SystemTime::now());
    if status.is_redirection() {
        return error.with_found(redirect_target(response.headers()));
    }
    let html = is_html(response.headers());
    let latest = Instant::now() + ERROR_TIMEOUT;
    let latest = deadline.map_or(latest, |deadline| deadline.min(latest));
    let read = read(response, MAX_ERROR, endpoint);
    let Ok(Ok((body, _))) = tokio::time::timeout_at(latest, read).await else {
        return error;
    };
    if asset {
        return match xml_code(&body) {
            Some(code) => error.with_found(code),
            None => error,
        };
    }
    match serde_json::from_slice::<ApiErrorBody>(&body) {
        Ok(said) => {
            let clean = |text: Option<String>| text.map(|text| shown(&scrub(&text)));
            let body = &mut error.inner_mut().body;
            body.error_code = clean(said.error_code);
            body.error_unique_id = clean(said.error_unique_id);
            body.details = clean(said.details);
            error
        }
        Err(_) if html || body.trim_ascii_start().starts_with(b"<") => {
            // Tulip refuses in JSON; a page comes from something between, such as an allowlist.
            if matches!(status.as_u16(), 401 | 403 | 404) {
                error.inner_mut().kind = ErrorKind::InvalidReply;
            }
            error.with_found(html_page(&body, scrub))
        }
        Err(_) if body.trim_ascii().is_empty() => error,
        Err(_) => {
            let text = shown(&scrub(&String::from_utf8_lossy(&body)));
            error.with_found(format!("it says {text:?}"))
        }
    }
}

fn kind_of(status: StatusCode, asset: bool) -> ErrorKind {
    match status.as_u16() {
        400 | 401 | 403 if asset => ErrorKind::AssetRefused,
        400 => ErrorKind::BadRequest,
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        422 => ErrorKind::Unprocessable,
        429 => ErrorKind::RateLimited,
        300..=399 => ErrorKind::Redirect,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::UnexpectedStatus,
    }
}

/// Reads at most `limit` bytes; the second value tells whether that was all.
async fn read(
    mut response: Response,
    limit: usize,
    endpoint: &Endpoint,
) -> Result<(Vec<u8>, bool), Error> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                body.extend_from_slice(&chunk[..limit - body.len()]);
                return Ok((body, false));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok((body, true)),
            Err(error) => return Err(failure::from_transport(error, endpoint.clone())),
        }
    }
}

pub(crate) fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        })
}

/// Where a redirect points: no more than the host, since path and query can be secrets.
fn redirect_target(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return "it points nowhere".to_owned();
    };
    match Url::parse(location) {
        Ok(url) => match url.host_str() {
            Some(host) => format!("it points to {}://{host}", url.scheme()),
            None => format!("it points to the scheme {:?}", url.scheme()),
        },
        Err(_) => "it points elsewhere on the same host".to_owned(),
    }
}

/// What a page is about: its title, if it has one.
fn html_page(body: &[u8], scrub: Scrub<'_>) -> String {
    let text = String::from_utf8_lossy(body);
    let title = between(&text, "<title>", "</title>").map(|title| shown(&scrub(title)));
    match title {
        Some(title) if !title.is_empty() => format!("it is a page with the title {title:?}"),
        _ => "it is an HTML or XML page".to_owned(),
    }
}

/// The `Code` of an object store's XML error. Its message is left alone: it quotes the request.
fn xml_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let code = between(&text, "<Code>", "</Code>")?;
    let plain =
        !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// A foreign text, fit to be shown.
fn shown(text: &str) -> String {
    one_line(text, MAX_SHOWN)
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn after(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_nonsense_is_ignored() {
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            after("Mon, 23 Nov 2026 12:01:30 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(after("Mon, 23 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-5"), None);
        assert_eq!(after("99999999999999999999"), None);
    }

    #[test]
    fn object_store_errors_give_their_code_alone() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>AKIA s3cret</Message></Error>";
        assert_eq!(xml_code(body).as_deref(), Some("ExpiredToken"));
        assert_eq!(xml_code(b"<Code>a b</Code>"), None);
        assert_eq!(xml_code(b"\xff\xfe"), None);
    }

    proptest! {
        #[test]
        fn any_body_is_shown_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = xml_code(&body);
            let _ = html_page(&body, &|text| text.to_owned());
        }
    }
}
