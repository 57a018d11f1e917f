//! Making a [`Client`].

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;

use tokio::sync::Semaphore;
use tulip_core::sink::ConnectOptions;

use crate::address::{Guard, GuardedResolver};
use crate::client::{Client, Shared};
use crate::download::{Budget, Splitting};
use crate::{ExponentialBackoff, Network, RetryPolicy, Settings, tls};

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
    /// The HTTP client cannot be set up, for example because of a bad proxy variable.
    #[error("the HTTP client cannot be set up: {0}; check the proxy variables")]
    Http(String),
}

/// Sets up a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    settings: Settings,
    retry: Arc<dyn RetryPolicy>,
    connect_timeout: Duration,
    stall_timeout: Duration,
    call_timeout: Duration,
    allow_http_assets: bool,
    allowed_networks: Vec<Network>,
    product: Option<String>,
    connections: NonZeroUsize,
    read_ahead: u64,
    split_above: u64,
}

/// So many calls to the API may be under way: thousands of jobs that are waited for are asked about over
/// a few connections, not over thousands.
const CALLS: usize = 32;

/// By default.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(32).unwrap();
const READ_AHEAD: u64 = 16 * 1024 * 1024;
const SPLIT_ABOVE: u64 = 32 * 1024 * 1024;

impl ClientBuilder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            retry: Arc::new(ExponentialBackoff::default()),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(120),
            allow_http_assets: false,
            allowed_networks: Vec::new(),
            product: None,
            connections: CONNECTIONS,
            read_ahead: READ_AHEAD,
            split_above: SPLIT_ABOVE,
        }
    }

    /// Decides when failed calls are sent again; by default [`ExponentialBackoff`].
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retry = Arc::new(policy);
        self
    }

    /// How long making a connection may take; by default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long one attempt of an API call may take in all; by default 120 s. Downloads have no
    /// such limit.
    #[must_use]
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// How long the server may be silent inside a reply; by default 60 s. A download as a whole
    /// may take as long as it takes.
    #[must_use]
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }

    /// Accept assets on `http` although the API is on `https`; by default not.
    #[must_use]
    pub fn allow_http_assets(mut self, allow: bool) -> Self {
        self.allow_http_assets = allow;
        self
    }

    /// Accept assets from `network` too. By default they come from public addresses and from the
    /// kind of network that the API itself is on, be it private or this machine; the addresses
    /// where clouds keep credentials only when they are allowed here. Behind a proxy that is so for
    /// hosts given as addresses; those given by name are the proxy's to judge.
    #[must_use]
    pub fn allow_network(mut self, network: Network) -> Self {
        self.allowed_networks.push(network);
        self
    }

    /// How many connections the download of one archive may use; by default 32. It uses more than
    /// one for large archives, where the host keeps ranges, and no more than make it faster; none but
    /// one where a request for all is faster than many for ranges. With 1, it asks for the whole archive at once.
    #[must_use]
    pub fn connections(mut self, most: NonZeroUsize) -> Self {
        self.connections = most;
        self
    }

    /// Archives of more than so many bytes are asked for in ranges, on several connections; by
    /// default 32 MiB.
    #[must_use]
    pub fn split_above(mut self, bytes: u64) -> Self {
        self.split_above = bytes;
        self
    }

    /// How many bytes all downloads of the client together may hold that have come before their
    /// turn; by default 16 MiB, in units of 1 MiB. Each download may hold another 2 MiB, with a larger
    /// budget up to 9 MiB. With less than 2 MiB there is but one connection for each download.
    #[must_use]
    pub fn read_ahead(mut self, bytes: u64) -> Self {
        self.read_ahead = bytes;
        self
    }

    /// What stands first in the user agent, for example `acme-lake/2.1`.
    #[must_use]
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }

    /// Makes the client: one connection pool for the API, another, which never sees the
    /// credentials, for assets.
    ///
    /// # Errors
    /// [`BuildError`] when the CA file, TLS or a proxy variable cannot be used.
    pub fn build(self) -> Result<Client, BuildError> {
        let tls = tls::config(self.settings.ca_file.as_deref())?;
        let user_agent = self.user_agent()?;
        let base = || {
            let builder = reqwest::Client::builder();
            // A proxy cannot reach this machine's own loopback, where an emulator is.
            let builder = match self.settings.instance.is_loopback() {
                true => builder.no_proxy(),
                false => builder,
            };
            builder
                .tls_backend_preconfigured(tls.clone())
                .user_agent(user_agent.clone())
                .connect_timeout(self.connect_timeout)
                .http1_only()
                .referer(false)
                .retry(reqwest::retry::never())
        };
        let mut headers = HeaderMap::new();
        let basic = self.settings.credentials.basic_header();
        let mut authorization =
            HeaderValue::from_str(&basic).map_err(|_| BuildError::Header("API key"))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let api = || {
            base()
                .default_headers(headers.clone())
                .read_timeout(self.stall_timeout)
                .timeout(self.call_timeout)
                .redirect(Policy::none())
        };
        let (starts, api) = (api().pool_max_idle_per_host(0).build(), api().build());
        let guard = Arc::new(Guard::new(
            self.settings.instance.clone(),
            self.allowed_networks,
        ));
        let mut asset_headers = HeaderMap::new();
        // Assets have no such limit of the HTTP stack's, which counts also while nobody reads: a
        // sink that takes its time is not a host that is silent.
        // A compressed body would have other bytes, offsets and length than the archive.
        asset_headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let assets = base()
            .default_headers(asset_headers)
            .redirect(Policy::none())
            .dns_resolver(GuardedResolver(guard.clone()))
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build();
        let http = |error: reqwest::Error| BuildError::Http(error.without_url().to_string());
        let mut connect_options = ConnectOptions::default();
        connect_options.ca_file = self.settings.ca_file;
        connect_options.user_agent = user_agent.to_str().ok().map(str::to_owned);
        connect_options.connect_timeout = self.connect_timeout;
        connect_options.stall_timeout = self.stall_timeout;
        Ok(Client::new(Shared {
            connect_options,
            api: api.map_err(http)?,
            starts: starts.map_err(http)?,
            assets: assets.map_err(http)?,
            instance: self.settings.instance,
            credentials: self.settings.credentials,
            workspace: self.settings.workspace,
            retry: self.retry,
            api_hold: Arc::default(),
            calls: Arc::new(Semaphore::new(CALLS)),
            assets_hold: Arc::default(),
            allow_http_assets: self.allow_http_assets,
            guard,
            splitting: Splitting {
                connections: self.connections.get(),
                above: self.split_above,
                budget: Budget::new(self.read_ahead),
            },
        }))
    }

    fn user_agent(&self) -> Result<HeaderValue, BuildError> {
        let own = concat!("tulip-archive/", env!("CARGO_PKG_VERSION"));
        let text = match &self.product {
            Some(product) => format!("{product} {own}"),
            None => own.to_owned(),
        };
        HeaderValue::from_str(&text).map_err(|_| BuildError::Header("product"))
    }
}
