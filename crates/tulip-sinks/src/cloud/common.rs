//! What the sinks of all clouds take and need.

use std::path::PathBuf;
use std::time::Duration;

use object_store::path::Path;
use object_store::{Attribute, BackoffConfig, RetryConfig};
use tulip_core::sink::{ConnectOptions, SinkError, SinkErrorKind, SinkOption, SinkUrl};
use tulip_http::Transport;

use super::CreateRule;
use super::service::Connector;
use crate::object::attributes::Kept;
use crate::object::parts::{Buffering, MIB};
use crate::object::settings::invalid;

pub(super) const BUFFERING: Buffering = Buffering {
    part: 8 * MIB,
    memory: 40 * MIB,
};

pub(super) const ENDPOINT: SinkOption = SinkOption::new(
    "endpoint",
    "the store's URL, where it is not the cloud's own",
)
.public();
pub(super) const ALLOW_HTTP: SinkOption = SinkOption::new(
    "allow_http",
    "true lets an endpoint other than this machine be without TLS",
)
.public();
pub(super) const CREATE_ONLY: SinkOption = SinkOption::new(
    "create_only",
    "whether the store keeps create-only requests: auto (tries another's store once), always, never",
).public();
pub(super) const STORAGE_CLASS: SinkOption = SinkOption::new(
    "storage_class",
    "the storage class or access tier of new objects, as the store names it",
)
.public();
pub(super) const METADATA: SinkOption =
    SinkOption::new("metadata.NAME", "metadata of that name for every object").public();
pub(super) const ANONYMOUS: SinkOption =
    SinkOption::new("anonymous", "true sends requests without credentials").public();

/// How often requests are sent again.
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

/// The same while somebody waits for the answer of a probe.
pub(super) fn probe_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 1,
        ..retries()
    }
}

/// The options of a cloud sink's URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloudUrl<'a>(pub(super) &'a SinkUrl);

impl CloudUrl<'_> {
    pub(super) fn text(self, option: SinkOption) -> Option<String> {
        self.0.option(option.name)
    }

    pub(super) fn flag(self, option: SinkOption) -> Result<Option<bool>, SinkError> {
        match self.text(option).as_deref() {
            None => Ok(None),
            Some("true" | "1" | "yes") => Ok(Some(true)),
            Some("false" | "0" | "no") => Ok(Some(false)),
            Some(_) => Err(invalid(option.name, "true or false is wanted")),
        }
    }

    /// The path as a prefix of keys.
    pub(super) fn prefix(self) -> Result<Path, SinkError> {
        Path::parse(self.0.path()).map_err(|error| {
            let what = format!("the path of {} cannot be a prefix of keys", shown(self.0));
            SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
        })
    }

    /// The host, where the bucket stands.
    pub(super) fn bucket(self) -> Result<String, SinkError> {
        let scheme = self.0.scheme();
        let bucket = self.0.host().ok_or_else(|| {
            let what = format!("the target names no bucket: write {scheme}://bucket/prefix");
            SinkError::new(SinkErrorKind::InvalidTarget, what)
        })?;
        let url = self.0.expose();
        if url.port().is_some() || !url.username().is_empty() || url.password().is_some() {
            let what = format!(
                "{} holds more than a bucket and a prefix; a store's address goes into the option \
                 endpoint, credentials into the environment",
                shown(self.0)
            );
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        }
        Ok(bucket.to_owned())
    }

    /// What every object gets; `hyphens` tells whether metadata names may have them.
    pub(super) fn kept(self, hyphens: bool) -> Kept {
        let mut kept = Kept::new(hyphens);
        if let Some(class) = self.text(STORAGE_CLASS) {
            kept.set(Attribute::StorageClass, class);
        }
        let named = self.0.options().filter_map(|(name, value)| {
            let name = name.strip_prefix("metadata.")?;
            Some((name.to_ascii_lowercase(), value))
        });
        kept.add(&named.collect());
        kept
    }

    /// Metadata names go into headers.
    pub(super) fn check_metadata_names(self) -> Result<(), SinkError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        for (name, _) in self.0.options() {
            let Some(key) = name.strip_prefix("metadata.") else {
                continue;
            };
            if !key.bytes().all(plain) {
                let reason = "letters, digits, - and _ can stand in a metadata name";
                return Err(invalid(&name, reason));
            }
        }
        Ok(())
    }

    /// Whether create-only requests are kept: by the cloud's own store, yes.
    pub(super) fn create_rule(self, is_own: bool) -> Result<CreateRule, SinkError> {
        match self.text(CREATE_ONLY).as_deref() {
            None | Some("auto") if is_own => Ok(CreateRule::Always),
            None | Some("auto") => Ok(CreateRule::Try),
            Some("always") => Ok(CreateRule::Always),
            Some("never") => Ok(CreateRule::Never),
            Some(_) => Err(invalid(CREATE_ONLY.name, "auto, always or never is wanted")),
        }
    }
}

/// The target without its options, as people write it.
pub(super) fn shown(url: &SinkUrl) -> String {
    let host = url.host().unwrap_or_default();
    let text = format!("{}://{host}{}", url.scheme(), url.path());
    text.trim_end_matches('/').to_owned()
}

/// The way to a store.
pub(super) fn connector(
    options: &ConnectOptions,
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

/// Refuses an endpoint that is not a URL, or without TLS where that is not asked for.
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
            "a URL such as https://storage.example is wanted",
        )),
    }
}

/// A configuration that the store library refuses. What its messages quote can come out of a file of
/// credentials, so it is left out.
pub(super) fn refused(error: object_store::Error) -> SinkError {
    let what = "the store's settings cannot be used";
    let cause = without_quotes(&tulip_core::redact_urls(&error.to_string()));
    SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(cause)
}

/// A text without what stands in it between quotation marks or backticks.
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
