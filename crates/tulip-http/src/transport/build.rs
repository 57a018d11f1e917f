//! What all HTTP clients of this crate have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use super::tls;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The CA file cannot be used.
    #[error("the CA file {} cannot be used: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// A part cannot stand in an HTTP header.
    #[error("the {0} cannot stand in an HTTP header")]
    Header(&'static str),
    /// A variable that names a proxy cannot be used. Its value, which can hold a password, is not
    /// shown.
    #[error("{variable} does not name a proxy that can be used: {reason}")]
    Proxy {
        /// The variable, such as `HTTPS_PROXY`.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(String),
}

impl BuildError {
    pub(crate) fn http(error: reqwest::Error) -> Self {
        Self::Http(error.without_url().to_string())
    }
}

/// The options that clients to all hosts share.
#[derive(Debug, Clone)]
pub(crate) struct HttpOptions {
    tls: ClientConfig,
    user_agent: HeaderValue,
    connect_timeout: Duration,
}

impl HttpOptions {
    /// With the certificate authorities of `ca_file` beside the platform's.
    pub(crate) fn new(
        ca_file: Option<&Path>,
        user_agent: &str,
        connect_timeout: Duration,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            tls: tls::config(ca_file)?,
            user_agent: HeaderValue::from_str(user_agent)
                .map_err(|_| BuildError::Header("product"))?,
            connect_timeout,
        })
    }

    /// A client that sends each request once, follows no redirect, changes no body and uses no
    /// proxy.
    pub(crate) fn builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.connect_timeout)
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .referer(false)
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
    }
}

/// This crate, as it calls itself in the user agent.
pub(crate) const OWN_NAME: &str = concat!("tulip-archive/", env!("CARGO_PKG_VERSION"));
