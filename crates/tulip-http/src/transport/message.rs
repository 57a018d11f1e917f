//! The parts of a response that are read in the same way for all servers.

use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

use super::failure::Failure;

/// Reads at most `limit` bytes of a body, and returns with them whether that was all.
pub(crate) async fn read(mut response: Response, limit: usize) -> Result<(Vec<u8>, bool), Failure> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await.map_err(Failure::new)? {
            Some(chunk) if body.len() + chunk.len() > limit => {
                body.extend_from_slice(&chunk[..limit - body.len()]);
                return Ok((body, false));
            }
            Some(chunk) => body.extend_from_slice(&chunk),
            None => return Ok((body, true)),
        }
    }
}

/// Whether the head says that the body is an HTML page.
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

/// Whether a body is markup: HTML or XML.
pub(crate) fn is_markup(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// Returns the title of an HTML page as it is written there.
pub(crate) fn title_of(page: &str) -> Option<&str> {
    // Lowercasing only ASCII keeps the offsets.
    let lower = page.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(page[start..end].trim()).filter(|title| !title.is_empty())
}

/// Returns the `Code` of an object store's XML error, but not the message, which quotes the
/// request.
pub(crate) fn code_of_xml(document: &str) -> Option<&str> {
    element(document, "Code")
}

/// Returns the text of the first element `name` if it is a plain word, as codes and hosts are.
pub(crate) fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_plain = !text.is_empty() && text.len() <= 100 && text.bytes().all(plain);
    is_plain.then_some(text)
}

/// Returns the wait that `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3),
/// which is compared with the response's own `Date`, since the host's clock may be wrong. Fractions
/// are rounded up.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Some(seconds) = seconds(text) {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = date(headers).unwrap_or_else(SystemTime::now);
    let wait = until.duration_since(now).unwrap_or_default();
    Some(Duration::from_secs(
        wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
    ))
}

/// Returns `Date`, the time by the server's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()
}

/// Parses a decimal number of seconds, rounded up.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(more))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn after(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        let date = HeaderValue::from_static("Mon, 23 Nov 2020 12:00:00 GMT");
        headers.insert(DATE, date);
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_nonsense_is_ignored() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected) in [
            ("120", seconds(120)),
            ("0", seconds(0)),
            ("1.5", seconds(2)),
            ("2.000", seconds(2)),
            ("0.01", seconds(1)),
            // By the host's own clock, which is years behind.
            ("Mon, 23 Nov 2020 12:01:30 GMT", seconds(90)),
            ("Mon, 23 Nov 2020 11:00:00 GMT", seconds(0)),
            ("soon", None),
            ("-5", None),
            (".5", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(after(value), expected, "{value}");
        }
    }

    #[test]
    fn a_date_without_the_hosts_own_is_read_against_our_clock() {
        let mut headers = HeaderMap::new();
        let later = SystemTime::now() + Duration::from_secs(7200);
        let later = httpdate::fmt_http_date(later);
        headers.insert(RETRY_AFTER, HeaderValue::from_str(&later).unwrap());
        let wait = retry_after(&headers).unwrap().as_secs();
        assert!((7000..=7201).contains(&wait), "{wait}");
    }

    #[test]
    fn object_store_errors_give_their_code_alone() {
        let body = "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>AKIA s3cret</Message></Error>";
        assert_eq!(code_of_xml(body), Some("ExpiredToken"));
        assert_eq!(code_of_xml("<Code>a b</Code>"), None);
        assert_eq!(code_of_xml("<Code>"), None);
    }

    #[test]
    fn titles_are_found_in_any_case_and_with_attributes() {
        assert_eq!(
            title_of("<TITLE lang=en> Sign in </Title>"),
            Some("Sign in")
        );
        assert_eq!(title_of("<title></title>"), None);
        assert_eq!(title_of("<title>open"), None);
    }

    proptest! {
        #[test]
        fn any_body_is_read_without_panic(body in ".{0,300}", more in "(<title|>|</title|<Code>|</Code>|é){0,9}") {
            for text in [body, more] {
                let _ = (code_of_xml(&text), title_of(&text));
            }
        }
    }
}
