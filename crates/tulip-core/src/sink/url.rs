//! The address of a sink.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use super::{SinkError, SinkErrorKind};
use crate::redact::MASK;

/// An error parsing a [`SinkUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkUrlError {
    /// The text is empty.
    #[error("the target is empty; give a path such as ./out or a URL such as file:///data")]
    Empty,
    /// It is not a URL.
    #[error(
        "the target is not a URL: {reason}; give a path such as ./out or a URL such as file:///data"
    )]
    NotAUrl {
        /// The URL parser's message.
        reason: String,
    },
    /// The path is relative, or cannot be written as a URL.
    #[error("the target path {} is not absolute", path.display())]
    NotAbsolute {
        /// The path.
        path: PathBuf,
    },
    /// A `file` URL names a host, as `file://data/out` does.
    #[error(
        "the target file://{host}/… names a host; an absolute path has three slashes: file:///{host}/…"
    )]
    FileHost {
        /// The host found.
        host: String,
    },
}

/// The address of a sink, for example `file:///data/tulip` or `s3://lake/tulip`.
///
/// `Display` and `Debug` mask user info and the values of the query: options can be secrets.
///
/// ```
/// use tulip_core::sink::SinkUrl;
/// let url: SinkUrl = "s3://lake/tulip?region=eu-west-1".parse()?;
/// assert_eq!((url.scheme(), url.host(), url.path().as_str()), ("s3", Some("lake"), "/tulip"));
/// assert_eq!(url.to_string(), "s3://lake/tulip?region=[redacted]");
/// # Ok::<(), tulip_core::sink::SinkUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SinkUrl(Url);

impl SinkUrl {
    /// Parses a URL. For a path, see [`SinkUrl::from_path`].
    ///
    /// # Errors
    /// [`SinkUrlError`] if the text is not an absolute URL, or is a `file` URL with a host.
    pub fn parse(text: &str) -> Result<Self, SinkUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SinkUrlError::Empty);
        }
        let url = Url::parse(text).map_err(|error| SinkUrlError::NotAUrl {
            reason: error.to_string(),
        })?;
        match url.host_str() {
            Some(host) if url.scheme() == "file" && !host.is_empty() => {
                Err(SinkUrlError::FileHost {
                    host: host.to_owned(),
                })
            }
            _ => Ok(Self(url)),
        }
    }

    /// Creates the `file` URL of an absolute path.
    ///
    /// # Errors
    /// [`SinkUrlError::NotAbsolute`] if the path is relative.
    pub fn from_path(path: &Path) -> Result<Self, SinkUrlError> {
        Url::from_file_path(path)
            .map(Self)
            .map_err(|()| SinkUrlError::NotAbsolute {
                path: path.to_owned(),
            })
    }

    /// Returns the scheme, in lower case, which selects the sink.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Returns the host: a bucket or container, for object stores.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.0.host_str().filter(|host| !host.is_empty())
    }

    /// Returns the port, if the URL has one.
    ///
    /// ```
    /// use tulip_core::sink::SinkUrl;
    /// let url: SinkUrl = "webdav://nas:8080/tulip".parse()?;
    /// assert_eq!((url.host(), url.port()), (Some("nas"), Some(8080)));
    /// # Ok::<(), tulip_core::sink::SinkUrlError>(())
    /// ```
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// Returns this address under `scheme`, the protocol of the store, without user info, options
    /// and trailing slashes.
    ///
    /// ```
    /// use tulip_core::sink::SinkUrl;
    /// let url: SinkUrl = "webdav://nas:8080/tulip/?batch=7".parse()?;
    /// assert_eq!(url.root("http")?, "http://nas:8080/tulip");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`] if the URL names no host.
    pub fn root(&self, scheme: &str) -> Result<String, SinkError> {
        let Some(host) = self.host() else {
            let what = format!("{self} names no host");
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        };
        let port = self.port().map(|port| format!(":{port}"));
        let (port, path) = (
            port.unwrap_or_default(),
            self.0.path().trim_end_matches('/'),
        );
        Ok(format!("{scheme}://{host}{port}{path}"))
    }

    /// Returns the path, percent-decoded, with its leading slash.
    #[must_use]
    pub fn path(&self) -> String {
        percent_encoding::percent_decode_str(self.0.path())
            .decode_utf8_lossy()
            .into_owned()
    }

    /// Returns the options in the query, in order.
    pub fn options(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// Returns the value of an option, if it is set.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        self.options()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// Adds an option.
    ///
    /// ```
    /// use tulip_core::sink::SinkUrl;
    /// let url: SinkUrl = "s3://lake/tulip".parse()?;
    /// let url = url.with_option("endpoint", "http://127.0.0.1:9000");
    /// assert_eq!(url.option("endpoint").as_deref(), Some("http://127.0.0.1:9000"));
    /// # Ok::<(), tulip_core::sink::SinkUrlError>(())
    /// ```
    #[must_use]
    pub fn with_option(mut self, name: &str, value: &str) -> Self {
        self.0.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Removes an option, if it is set.
    #[must_use]
    pub fn without_option(mut self, name: &str) -> Self {
        let kept: Vec<_> = self.options().filter(|(known, _)| known != name).collect();
        self.0.set_query(None);
        kept.iter()
            .fold(self, |url, (name, value)| url.with_option(name, value))
    }

    /// Removes user info, the fragment, and all options except those that `keep` accepts.
    #[must_use]
    pub(super) fn retaining(mut self, keep: impl Fn(&str) -> bool) -> Self {
        let kept: Vec<_> = self.options().filter(|(name, _)| keep(name)).collect();
        // These fail only for a URL that cannot have user info.
        let _ = self.0.set_username("");
        let _ = self.0.set_password(None);
        self.0.set_fragment(None);
        self.0.set_query(None);
        kept.iter()
            .fold(self, |url, (name, value)| url.with_option(name, value))
    }

    /// Sorts the options by name.
    pub(super) fn sorted(mut self) -> Self {
        let mut options: Vec<_> = self.options().collect();
        options.sort();
        self.0.set_query(None);
        options
            .iter()
            .fold(self, |url, (name, value)| url.with_option(name, value))
    }

    /// Returns the path of a `file` URL, or `None` for any other.
    #[must_use]
    pub fn to_file_path(&self) -> Option<PathBuf> {
        (self.scheme() == "file")
            .then(|| self.0.to_file_path().ok())
            .flatten()
    }

    /// Returns the whole URL, including any secrets.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl FromStr for SinkUrl {
    type Err = SinkUrlError;
    fn from_str(text: &str) -> Result<Self, SinkUrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, &|_| false)
    }
}

/// Displays a URL with the values of the options that are not secret.
pub(super) struct Shown<'a, F>(pub(super) &'a SinkUrl, pub(super) F);

impl<F: Fn(&str) -> bool> fmt::Display for Shown<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_with(f, &self.1)
    }
}

impl SinkUrl {
    fn fmt_with(
        &self,
        f: &mut fmt::Formatter<'_>,
        is_public: &dyn Fn(&str) -> bool,
    ) -> fmt::Result {
        let url = &self.0;
        write!(f, "{}:", url.scheme())?;
        if url.has_authority() {
            f.write_str("//")?;
            if !url.username().is_empty() || url.password().is_some() {
                write!(f, "{MASK}@")?;
            }
            f.write_str(url.host_str().unwrap_or_default())?;
            if let Some(port) = url.port() {
                write!(f, ":{port}")?;
            }
        }
        f.write_str(url.path())?;
        for (at, (name, value)) in url.query_pairs().enumerate() {
            let separator = if at == 0 { '?' } else { '&' };
            // A public value is masked, too, if it may be a URL with a password or could control a
            // terminal.
            let is_plain = !value.contains(|c: char| c == '@' || c.is_control());
            let value = match is_public(&name) && is_plain {
                true => &value,
                false => MASK,
            };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_file_urls_and_come_back() {
        let path = Path::new("/data/Mühle 07/100%");
        let url = SinkUrl::from_path(path).unwrap();
        assert_eq!(url.scheme(), "file");
        assert_eq!(url.to_file_path().unwrap(), path);
        assert_eq!(url.path(), "/data/Mühle 07/100%");
        assert!(SinkUrl::from_path(Path::new("out")).is_err());
    }

    #[test]
    fn a_root_has_what_tells_the_place_and_no_secret() {
        let root = |url: &str| SinkUrl::parse(url).unwrap().root("http");
        assert_eq!(
            root("dav://u:s3cret@h:8080/a%20b/?key=s3cret#x").unwrap(),
            "http://h:8080/a%20b"
        );
        assert_eq!(root("dav://[::1]").unwrap(), "http://[::1]");
        let error = root("dav:///a?key=s3cret").unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
        assert!(
            error
                .to_string()
                .starts_with("dav:///a?key=[redacted] names no host"),
            "{error}"
        );
    }

    #[test]
    fn options_and_user_info_are_masked() {
        let url = SinkUrl::parse("sftp://me:s3cret@h:22/in?key=s3cret&mode=x#s3cret").unwrap();
        assert_eq!(
            url.to_string(),
            "sftp://[redacted]@h:22/in?key=[redacted]&mode=[redacted]"
        );
        assert_eq!(format!("{url:?}"), format!("SinkUrl({url})"));
        assert_eq!(url.options().next(), Some(("key".into(), "s3cret".into())));
    }

    #[test]
    fn wrong_targets_say_what_to_write() {
        assert!(
            SinkUrl::parse(" ")
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
        assert!(
            SinkUrl::parse("out/here")
                .unwrap_err()
                .to_string()
                .contains("not a URL")
        );
        let message = SinkUrl::parse("file://data/out").unwrap_err().to_string();
        assert!(message.contains("file:///data/"), "{message}");
    }
}
