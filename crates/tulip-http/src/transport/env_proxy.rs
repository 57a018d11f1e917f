//! A proxy in a form that can be shown.

use std::fmt;

use url::Url;

/// The proxy for requests to a host, and the variable that names it. Holds no user name and no
/// password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvProxy {
    /// The variable, such as `HTTPS_PROXY`.
    pub variable: &'static str,
    /// The proxy's host, a name or an address without brackets.
    pub host: String,
    /// The proxy's port.
    pub port: u16,
}

impl EnvProxy {
    /// Returns `None` if `url` has no host or port; a proxy's URL has both.
    pub(super) fn new(variable: &'static str, url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Some(Self {
            variable,
            host: bare.unwrap_or(host).to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

impl fmt::Display for EnvProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}, from {}", self.variable),
            false => write!(f, "{host}:{port}, from {}", self.variable),
        }
    }
}
