//! Reading the API's replies, which are not trusted.

use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tulip_core::{ApiErrorBody, one_line};
use url::Url;

use crate::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::transport::{is_html, is_markup, read, retry_after, title_of};

/// The largest JSON reply that is read; enough for tens of thousands of machines.
const MAX_REPLY: usize = 16 * 1024 * 1024;
/// How much of an error's body is read.
const MAX_ERROR: usize = 64 * 1024;
/// How long to wait for an error's body.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a foreign text is shown.
const MAX_SHOWN: usize = 200;

/// Redacts what must not be shown of a server's text.
pub(crate) type Scrub<'a> = &'a (dyn Fn(&str) -> String + Sync);

/// Reads a successful reply as JSON.
pub(crate) async fn json<T: DeserializeOwned>(
    response: Response,
    endpoint: &Endpoint,
    scrub: Scrub<'_>,
) -> Result<T, Error> {
    let status = response.status();
    let invalid = |found: String| {
        Error::new(ErrorKind::InvalidReply, endpoint.clone())
            .with_found(found)
            .with_status(status.as_u16())
    };
    let html = is_html(response.headers());
    let (body, whole) = read(response, MAX_REPLY)
        .await
        .map_err(|failure| Error::from_failure(failure, endpoint.clone()))?;
    if !whole {
        return Err(invalid(format!("it has over {MAX_REPLY} bytes")));
    }
    let body = without_mark(&body);
    if is_markup(body) {
        return Err(invalid(html_page(body, scrub)));
    }
    if body.trim_ascii().is_empty() {
        return Err(invalid("it is empty".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| {
        if html {
            return invalid(html_page(body, scrub));
        }
        let cut = error.is_eof();
        let found = if cut {
            "the JSON is cut off"
        } else {
            "it is not the JSON that was expected"
        };
        // The parser's message can quote the reply.
        let at = format!(
            "line {} column {}: {}",
            error.line(),
            error.column(),
            shown(&scrub(&error.to_string()))
        );
        invalid(found.to_owned()).with_cause(at)
    })
}

/// Turns a reply that is not a success into an error with what the server says until `deadline`. If
/// the body does not arrive, the status alone is enough.
pub(crate) async fn refusal(
    response: Response,
    endpoint: &Endpoint,
    scrub: Scrub<'_>,
    deadline: Option<Instant>,
) -> Error {
    let status = response.status();
    let mut error = Error::new(kind_of(status), endpoint.clone()).with_status(status.as_u16());
    error.inner_mut().retry_after = retry_after(response.headers());
    if status.is_redirection() {
        return error.with_found(redirect_target(response.headers()));
    }
    let html = is_html(response.headers());
    let latest = Instant::now() + ERROR_TIMEOUT;
    let latest = deadline.map_or(latest, |deadline| deadline.min(latest));
    let read = read(response, MAX_ERROR);
    let Ok(Ok((body, _))) = tokio::time::timeout_at(latest, read).await else {
        return error;
    };
    let body = without_mark(&body);
    match serde_json::from_slice::<ApiErrorBody>(body) {
        Ok(said) => {
            let clean = |text: Option<String>| text.map(|text| shown(&scrub(&text)));
            let body = &mut error.inner_mut().body;
            body.error_code = clean(said.error_code);
            body.error_unique_id = clean(said.error_unique_id);
            body.details = clean(said.details);
            error
        }
        Err(_) if html || is_markup(body) => {
            // Tulip refuses in JSON; a page comes from something in between, such as an allowlist.
            if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
                error.inner_mut().kind = ErrorKind::InvalidReply;
            }
            error.with_found(html_page(body, scrub))
        }
        Err(_) if body.trim_ascii().is_empty() => error,
        Err(_) => {
            let text = shown(&scrub(&String::from_utf8_lossy(body)));
            error.with_found(format!("it says {text:?}"))
        }
    }
}

/// Strips the byte order mark that some gateways put before JSON.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
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

/// Says where a redirect points: no more than the host, because path and query can be secret.
fn redirect_target(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return "it has no Location".to_owned();
    };
    match Url::parse(location) {
        Ok(url) => match url.host_str() {
            Some(host) => format!("it points to {}://{host}", url.scheme()),
            None => format!("it points to the scheme {:?}", url.scheme()),
        },
        Err(_) => "it points elsewhere on the same host".to_owned(),
    }
}

/// Describes a page by its title, if it has one.
fn html_page(body: &[u8], scrub: Scrub<'_>) -> String {
    let text = String::from_utf8_lossy(body);
    let title = title_of(&text).map(|title| shown(&scrub(title)));
    match title {
        Some(title) if !title.is_empty() => format!("it is a page with the title {title:?}"),
        _ => "it is an HTML or XML page".to_owned(),
    }
}

/// Makes a foreign text fit to be shown.
fn shown(text: &str) -> String {
    one_line(text, MAX_SHOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_body_is_shown_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = html_page(&body, &|text| text.to_owned());
        }
    }
}
