//! The connection to a store: its HTTP client, retries and endpoint.

use std::path::PathBuf;
use std::time::Duration;

use object_store::{BackoffConfig, RetryConfig};
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkError, SinkErrorKind};
use tulip_http::Transport;

use super::connector::Connector;
use super::error::cleaned;
use super::options::{ENDPOINT, invalid};

/// How requests are retried.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            base: 2.0,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(180),
    }
}

/// Like [`retries`], but with a single retry, for requests that somebody waits for.
pub(super) fn fail_fast_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 1,
        ..retries()
    }
}

/// Creates a store's connector. `ca_file` is used if `options` name none.
pub(super) fn connector(
    options: &NetworkOptions,
    ca_file: Option<PathBuf>,
) -> Result<Connector, SinkError> {
    let mut options = options.clone();
    options.ca_file = options.ca_file.or(ca_file);
    let transport = Transport::new(&options).map_err(|error| {
        let what = "the store's HTTP client cannot be set up";
        SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
    })?;
    Ok(Connector::new(transport))
}

/// Refuses an endpoint that is not a URL, that holds credentials, or that has no TLS, unless it is
/// local or `allow_http` is set.
pub(super) fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<(), SinkError> {
    let Ok(uri) = endpoint.parse::<http::Uri>() else {
        return Err(invalid(ENDPOINT.name, "it is not a URL"));
    };
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        let reason = "it holds credentials; they go into the environment";
        return Err(invalid(ENDPOINT.name, reason));
    }
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if allow_http || is_loopback => Ok(()),
        Some("http") => Err(invalid(
            ENDPOINT.name,
            "it has no TLS; allow_http=true allows that",
        )),
        _ => Err(invalid(
            ENDPOINT.name,
            "expected a URL such as https://storage.example",
        )),
    }
}

/// Returns the error for a configuration that `object_store` refuses. Its messages may quote a
/// credentials file, so quotes are left out.
pub(super) fn refused(error: object_store::Error) -> SinkError {
    let what = "the store's settings cannot be used";
    let cause = cleaned(&without_quotes(&error.to_string()));
    SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(cause)
}

/// Removes the text between quotation marks or backticks.
fn without_quotes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut quoted_by = None;
    for sign in text.chars() {
        match quoted_by {
            Some(mark) if sign == mark => quoted_by = None,
            Some(_) => continue,
            None if matches!(sign, '"' | '`') => quoted_by = Some(sign),
            None => {}
        }
        kept.push(sign);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_quotes_is_left_out() {
        let said = r#"invalid type: string "5ecret", expected `x` at line 1"#;
        let kept = r#"invalid type: string "", expected `` at line 1"#;
        assert_eq!(without_quotes(said), kept);
        assert!(!without_quotes(r#"unended "5ecret"#).contains("5ecret"));
    }

    #[test]
    fn an_endpoint_has_tls_or_is_near_or_is_allowed_and_holds_no_credentials() {
        for (endpoint, allow_http, fine) in [
            ("https://s3.example", false, true),
            ("http://127.0.0.1:9000", false, true),
            ("http://[::1]:9000", false, true),
            ("http://localhost:9000", false, true),
            ("http://s3.example", false, false),
            ("http://s3.example", true, true),
            ("https://user:5ecret@s3.example", true, false),
            ("s3.example", true, false),
            ("ftp://s3.example", true, false),
        ] {
            let checked = check_endpoint(endpoint, allow_http);
            assert_eq!(checked.is_ok(), fine, "{endpoint}");
            let said = checked.err().map(|error| error.to_string());
            assert!(!said.unwrap_or_default().contains("5ecret"));
        }
    }
}
