//! The download URL of a finished archive. It is a credential: anyone who has it has the data.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;
use zeroize::Zeroizing;

use crate::redact::MASK;

/// The unchecked `resource` of a job as Tulip sent it. Only shown masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct RawResource(Zeroizing<String>);

impl RawResource {
    /// Checks that this is a downloadable URL.
    ///
    /// # Errors
    /// See [`ResourceUrl::parse`].
    pub fn parse(&self) -> Result<ResourceUrl, ResourceUrlError> {
        ResourceUrl::parse(&self.0)
    }
}

impl From<String> for RawResource {
    fn from(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl fmt::Debug for RawResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl RawResource {
    fn masked(&self) -> String {
        match self.parse() {
            Ok(url) => url.to_string(),
            Err(_) => MASK.to_owned(),
        }
    }
}

impl Serialize for RawResource {
    /// Writes the masked form: serialised jobs end up in logs and files.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

/// The reason a job's `resource` cannot be downloaded. Shows at most its scheme or host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceUrlError {
    /// It is not an absolute URL.
    #[error("the resource that Tulip sent is not a URL: {reason}")]
    NotAUrl {
        /// The URL parser's message.
        reason: String,
    },
    /// Its scheme is neither `https` nor `http`.
    #[error(
        "the resource that Tulip sent has the scheme {scheme:?}; only https and http can be downloaded"
    )]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// It carries a user name or password, which would be sent as an `Authorization` header.
    #[error(
        "the resource that Tulip sent carries a user name or password; it is refused, since these would be sent to {host}"
    )]
    UserInfo {
        /// The host of the URL.
        host: String,
    },
    /// It has no host.
    #[error("the resource that Tulip sent names no host")]
    NoHost,
    /// HTTP clients would rewrite something in it, so that the request would not match the
    /// signature.
    #[error(
        "the path of the resource that Tulip sent has {what}; HTTP clients would rewrite that, and its signature would not match"
    )]
    Unsendable {
        /// The part that would be rewritten.
        what: &'static str,
    },
    /// It is too long to send.
    #[error(
        "the resource that Tulip sent has {length} bytes, more than the {MAX_LENGTH} that can be sent"
    )]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// The length in bytes of the longest URL that HTTP libraries send.
const MAX_LENGTH: usize = 65_534;

/// A download URL, checked: absolute, `https` or `http`, with a host and without user info.
///
/// `Debug`, `Display` and `Serialize` show only scheme and host, whatever the signature scheme: the
/// path and query of a presigned URL are as good as a password.
///
/// ```
/// use tulip_core::ResourceUrl;
/// let url = ResourceUrl::parse("http://s3.amazon.com/acme/x.csv?X-Amz-Signature=f257")?;
/// assert_eq!(url.to_string(), "http://s3.amazon.com/[redacted]");
/// assert_eq!(url.expose().query(), Some("X-Amz-Signature=f257"));
/// # Ok::<(), tulip_core::ResourceUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawResource")]
pub struct ResourceUrl(Url);

impl TryFrom<RawResource> for ResourceUrl {
    type Error = ResourceUrlError;
    fn try_from(raw: RawResource) -> Result<Self, ResourceUrlError> {
        raw.parse()
    }
}

impl ResourceUrl {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`ResourceUrlError`] if it is not an absolute `https` or `http` URL with a host, carries
    /// user info, is too long, or contains something that HTTP clients would rewrite.
    pub fn parse(text: &str) -> Result<Self, ResourceUrlError> {
        let text = text.trim();
        let url = Url::parse(text).map_err(|error| ResourceUrlError::NotAUrl {
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(ResourceUrlError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        let host = url.host_str().ok_or(ResourceUrlError::NoHost)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ResourceUrlError::UserInfo {
                host: host.to_owned(),
            });
        }
        if let Some(what) = unsendable(text) {
            return Err(ResourceUrlError::Unsendable { what });
        }
        let length = url.as_str().len();
        if length > MAX_LENGTH {
            return Err(ResourceUrlError::TooLong { length });
        }
        Ok(Self(url))
    }

    /// Returns the whole URL with its signature. Send requests to it; never show it.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether the transport is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the host, with the port if one is given. Safe to show.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.authority()
    }
}

/// Returns what parsing would change in a URL, apart from percent-encoding the characters that a
/// request cannot contain, which signatures do not see.
fn unsendable(text: &str) -> Option<&'static str> {
    if text.contains(['\t', '\n', '\r']) {
        return Some("a tab or a line break");
    }
    let (_, rest) = text.split_once(':')?;
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = &rest[..end];
    if rest.contains('\\') {
        return Some("a backslash");
    }
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    rest.split('/').any(is_dots).then_some("dot segments")
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{MASK}", self.0.scheme(), self.0.authority())
    }
}

impl fmt::Debug for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceUrl({self})")
    }
}

impl Serialize for ResourceUrl {
    /// Writes the masked form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn debug_display_and_json_show_scheme_and_host_alone() {
        let text = "https://h.example:8443/bucket/a.csv?X-Amz-Signature=5ec2e7";
        let url = ResourceUrl::parse(text).unwrap();
        assert_eq!(url.to_string(), "https://h.example:8443/[redacted]");
        assert_eq!(
            format!("{url:?}"),
            "ResourceUrl(https://h.example:8443/[redacted])"
        );
        assert_eq!(
            serde_json::to_string(&url).unwrap(),
            r#""https://h.example:8443/[redacted]""#
        );
        let read: ResourceUrl = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        assert_eq!(read, url);
        let raw = RawResource::from(text.to_owned());
        assert_eq!(format!("{raw:?}"), "https://h.example:8443/[redacted]");
        assert_eq!(
            serde_json::to_string(&raw).unwrap(),
            r#""https://h.example:8443/[redacted]""#
        );
        assert_eq!(
            format!("{:?}", RawResource::from("junk secret".to_owned())),
            "[redacted]"
        );
    }

    #[test]
    fn what_cannot_be_downloaded_is_refused_without_its_text() {
        for (text, says) in [
            ("nonsense s3cret", "is not a URL"),
            ("/relative/s3cret", "is not a URL"),
            ("ftp://h/s3cret", "scheme \"ftp\""),
            ("file:///s3cret", "scheme \"file\""),
            ("https://user:s3cret@h/", "user name or password"),
        ] {
            let message = ResourceUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn what_would_not_be_sent_as_it_was_signed_is_refused_for_what_it_is() {
        for (text, says) in [
            ("https://h/a/../s3cret?sig=1", "dot segments"),
            ("https://h/a/./s3cret", "dot segments"),
            ("https://h/s3cret/%2E%2e/b", "dot segments"),
            ("https://h/s3cret/..", "dot segments"),
            (r"https://h/a\s3cret?sig=1", "a backslash"),
            ("https://h/a\n/s3cret", "a line break"),
        ] {
            let message = ResourceUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
        let long = format!("https://h/{}", "x".repeat(MAX_LENGTH));
        let message = ResourceUrl::parse(&long).unwrap_err().to_string();
        assert!(message.contains("65544 bytes"), "{message}");
    }

    #[test]
    fn what_is_sent_is_what_was_signed() {
        for text in [
            "https://h/a//b/...//.c/d..?x=../y&z=\\",
            "https://h/%41%2F%5C?sig=a%2Bb/..",
            "https://h/a;b=c,d!$&()*+:@=?x=a/b?c",
        ] {
            assert_eq!(ResourceUrl::parse(text).unwrap().expose().as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_after_the_host_is_ever_shown(
            path in "[a-zA-Z0-9/_~%-]{0,40}",
            key in "[A-Za-z-]{1,12}",
        ) {
            let text = format!("https://h.example/c0ffee5ec2e7/{path}?{key}=c0ffee5ec2e7#c0ffee5ec2e7");
            let url = ResourceUrl::parse(&text).unwrap();
            let shown = format!("{url} {url:?} {}", serde_json::to_string(&url).unwrap());
            prop_assert!(!shown.contains("c0ffee5ec2e7"), "{}", shown);
        }

        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in any::<String>()) {
            let _ = format!("{:?}", RawResource::from(text.clone()));
            let _ = ResourceUrl::parse(&text);
        }
    }
}
