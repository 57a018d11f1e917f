//! The options that all HTTP clients of this crate share.

use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use super::build_error::BuildError;
use super::tls;

/// Options that do not depend on the host.
#[derive(Debug, Clone)]
pub(crate) struct HttpOptions {
    tls: ClientConfig,
    user_agent: HeaderValue,
    connect_timeout: Duration,
}

impl HttpOptions {
    /// Creates options that trust the platform's certificate authorities and those of `ca_file`.
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

    /// Returns a builder for a client that sends each request once, follows no redirects, decodes
    /// no bodies and uses no proxy.
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

/// This crate's name in the user agent.
pub(crate) const OWN_NAME: &str = concat!("tulip-archive/", env!("CARGO_PKG_VERSION"));
