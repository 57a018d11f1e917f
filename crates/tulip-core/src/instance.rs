//! The address of a Tulip instance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::WorkspaceId;

/// An error parsing an [`InstanceUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceUrlError {
    /// The text is empty.
    #[error("the base URL is empty; it looks like https://acme.tulip.co")]
    Empty,
    /// It has no scheme.
    #[error("the base URL {text:?} has no scheme; did you mean https://{text}?")]
    NoScheme {
        /// The text, which contains neither a path nor user info.
        text: String,
    },
    /// It cannot be parsed.
    #[error("the base URL is not a URL: {reason}; it looks like https://acme.tulip.co")]
    NotAUrl {
        /// Why it cannot be parsed.
        reason: String,
    },
    /// Its scheme is neither `https` nor `http`.
    #[error("the base URL has the scheme {scheme:?}; use https (or http on a trusted network)")]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// It carries a user name or password.
    #[error(
        "the base URL carries a user name or password; remove them: the API key and secret are set separately"
    )]
    UserInfo,
    /// It already has the API's path.
    #[error("the base URL already has the API's path {path:?}; leave it out: {origin}")]
    ApiPath {
        /// The path found.
        path: String,
        /// The corrected base URL.
        origin: String,
    },
    /// It has some other path, a query or a fragment.
    #[error("the base URL ends in {extra:?}; leave that out: {origin}")]
    Extra {
        /// The path found, or `?…` or `#…` in place of a query or fragment.
        extra: String,
        /// The corrected base URL.
        origin: String,
    },
}

/// The origin of a Tulip instance, for example `https://acme.tulip.co`: scheme, host, port.
///
/// ```
/// use tulip_core::InstanceUrl;
/// let instance: InstanceUrl = "https://acme.tulip.co/".parse()?;
/// assert_eq!(instance.to_string(), "https://acme.tulip.co");
/// assert_eq!(
///     "acme.tulip.co".parse::<InstanceUrl>().unwrap_err().to_string(),
///     r#"the base URL "acme.tulip.co" has no scheme; did you mean https://acme.tulip.co?"#,
/// );
/// # Ok::<(), tulip_core::InstanceUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceUrl(Url);

impl TryFrom<String> for InstanceUrl {
    type Error = InstanceUrlError;
    fn try_from(text: String) -> Result<Self, InstanceUrlError> {
        Self::parse(&text)
    }
}

impl From<InstanceUrl> for String {
    fn from(instance: InstanceUrl) -> Self {
        instance.to_string()
    }
}

impl InstanceUrl {
    /// Parses the address.
    ///
    /// # Errors
    /// [`InstanceUrlError`] if the text is not a URL, its scheme is neither `https` nor `http`, or
    /// it has user info or anything after host and port (a lone `/` is ignored).
    pub fn parse(text: &str) -> Result<Self, InstanceUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InstanceUrlError::Empty);
        }
        if !text.contains("://") {
            return Err(without_scheme(text));
        }
        let url = Url::parse(text).map_err(|error| InstanceUrlError::NotAUrl {
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InstanceUrlError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InstanceUrlError::UserInfo);
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path();
        if path == "/api" || path.starts_with("/api/") {
            return Err(InstanceUrlError::ApiPath {
                path: path.to_owned(),
                origin,
            });
        }
        let extra = match (path, url.query(), url.fragment()) {
            (_, Some(_), _) => "?…",
            (_, _, Some(_)) => "#…",
            ("/", None, None) => return Ok(Self(url)),
            (path, None, None) => path,
        };
        Err(InstanceUrlError::Extra {
            extra: extra.to_owned(),
            origin,
        })
    }

    /// Whether the instance uses `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether the instance runs on this machine, as an emulator does.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns the URL of an endpoint: `/api/v3/…` for a workspace token, `/api/v3/w/{workspace}/…`
    /// for an account token. Every segment is percent-encoded, so that no id can change the path.
    #[must_use]
    pub fn endpoint<'a>(
        &self,
        workspace: Option<&WorkspaceId>,
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Url {
        let mut url = self.0.clone();
        // An https or http URL always has path segments to push to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["api", "v3"]);
            if let Some(workspace) = workspace {
                path.extend(["w", workspace.as_str()]);
            }
            path.extend(segments);
        }
        url
    }

    /// Whether `url` has this instance's scheme, host and port.
    #[must_use]
    pub fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }
}

/// Text that looks like a host may be shown; anything else may be a secret in the wrong variable.
fn without_scheme(text: &str) -> InstanceUrlError {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host = text.contains('.') || text.starts_with("localhost") || text.starts_with('[');
    if host && text.chars().all(plain) {
        InstanceUrlError::NoScheme {
            text: text.to_owned(),
        }
    } else {
        InstanceUrlError::NotAUrl {
            reason: "it has no scheme".to_owned(),
        }
    }
}

impl FromStr for InstanceUrl {
    type Err = InstanceUrlError;
    fn from_str(text: &str) -> Result<Self, InstanceUrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_wrong_form_says_what_to_write() {
        for (text, says) in [
            ("", "is empty"),
            ("acme.tulip.co", "did you mean https://acme.tulip.co?"),
            ("localhost:8080", "did you mean https://localhost:8080?"),
            ("key:s3cret@acme.tulip.co", "no scheme"),
            (
                "s3cretWithoutDots",
                "it has no scheme; it looks like https://acme.tulip.co",
            ),
            ("ftp://acme.tulip.co", "scheme \"ftp\""),
            ("https://", "not a URL"),
            ("https://key:s3cret@acme.tulip.co", "remove them"),
            (
                "https://acme.tulip.co/api/v3",
                "leave it out: https://acme.tulip.co",
            ),
            (
                "https://acme.tulip.co/api/v3/w/DEFAULT/",
                "leave it out: https://acme.tulip.co",
            ),
            (
                "https://acme.tulip.co:8443/dashboard",
                "leave that out: https://acme.tulip.co:8443",
            ),
            (
                "https://acme.tulip.co/?token=s3cret",
                "leave that out: https://acme.tulip.co",
            ),
        ] {
            let message = InstanceUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn instances_round_trip_through_serde() {
        let read: InstanceUrl = serde_json::from_str("\"https://acme.tulip.co/\"").unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            "\"https://acme.tulip.co\""
        );
    }

    #[test]
    fn loopback_instances_are_known() {
        let loopback = |text| InstanceUrl::parse(text).unwrap().is_loopback();
        assert!(
            loopback("http://127.0.0.1:80")
                && loopback("http://localhost")
                && loopback("http://[::1]:9")
        );
        assert!(!loopback("https://acme.tulip.co") && !loopback("http://10.0.0.1"));
    }

    #[test]
    fn endpoints_hang_under_both_token_kinds() {
        let base = InstanceUrl::parse(" https://acme.tulip.co/ ").unwrap();
        let path = ["machines", "archive", "csv", "evsLrbKLQgX8YWE4v"];
        assert_eq!(
            base.endpoint(None, path).as_str(),
            "https://acme.tulip.co/api/v3/machines/archive/csv/evsLrbKLQgX8YWE4v"
        );
        let workspace = WorkspaceId::new("DEFAULT").unwrap();
        assert_eq!(
            base.endpoint(Some(&workspace), ["machines"]).as_str(),
            "https://acme.tulip.co/api/v3/w/DEFAULT/machines"
        );
    }

    proptest! {
        #[test]
        fn no_id_leaves_its_segment(id in "[^/\\\\\\s\\x00-\\x1f]{1,30}") {
            let Ok(job) = crate::JobId::new(id) else { return Ok(()) };
            let base = InstanceUrl::parse("https://acme.tulip.co").unwrap();
            let url = base.endpoint(None, ["machines", "archive", "csv", job.as_str()]);
            prop_assert_eq!(url.path_segments().unwrap().count(), 6);
            prop_assert!(url.query().is_none() && url.fragment().is_none());
            prop_assert!(base.is_origin_of(&url));
        }
    }
}
