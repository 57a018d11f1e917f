//! The builder of a [`Client`].

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tulip_core::NetworkOptions;

use crate::api::{Api, ApiOptions, Settings};
use crate::client::Client;
use crate::download::{DownloadOptions, HttpFetcher, MinimumRate, ReadAheadBudget, Splitting};
use crate::retry::{ExponentialBackoff, RetryPolicy};
use crate::transport::{
    AddressPolicy, BuildError, Cidr, HttpOptions, OWN_NAME, Proxies, RateLimitGates,
};

/// Configures and builds a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    settings: Settings,
    retry: Arc<dyn RetryPolicy>,
    connect_timeout: Duration,
    read_timeout: Duration,
    call_timeout: Duration,
    allow_http_assets: bool,
    allow_insecure_http: bool,
    allowed_networks: Vec<Cidr>,
    product: Option<String>,
    connections: NonZeroUsize,
    read_ahead: u64,
    split_above: u64,
    minimum_rate: Option<MinimumRate>,
}

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
            read_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(120),
            allow_http_assets: false,
            allow_insecure_http: false,
            allowed_networks: Vec::new(),
            product: None,
            connections: CONNECTIONS,
            read_ahead: READ_AHEAD,
            split_above: SPLIT_ABOVE,
            minimum_rate: Some(MinimumRate::DEFAULT),
        }
    }

    /// Sets the policy that decides when failed calls are sent again; by default
    /// [`ExponentialBackoff`].
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retry = Arc::new(policy);
        self
    }

    /// Sets how long making a connection may take; by default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets how long one attempt of an API call may take in all; by default 120 s. Downloads have
    /// no such limit.
    #[must_use]
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// Sets the timeout for the next bytes of a reply; by default 60 s. A download as a whole has
    /// no time limit.
    #[must_use]
    pub fn read_timeout(mut self, limit: Duration) -> Self {
        self.read_timeout = limit;
        self
    }

    /// Accepts assets on `http` even if the API is on `https`; by default not.
    #[must_use]
    pub fn allow_http_assets(mut self, allow: bool) -> Self {
        self.allow_http_assets = allow;
        self
    }

    /// Allows an instance on `http` that is not on this machine; by default not. The credentials
    /// are then sent in clear, and anyone on the way can read them.
    #[must_use]
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Accepts assets from `network` too. By default they are accepted from public addresses and
    /// from the kind of network that the API is on (private, or this machine), and never from a
    /// cloud's metadata service. Behind a proxy this applies only to hosts given as addresses; the
    /// proxy resolves and judges names.
    #[must_use]
    pub fn allow_network(mut self, network: Cidr) -> Self {
        self.allowed_networks.push(network);
        self
    }

    /// Sets the maximum number of connections of one download; by default 32. Only large archives
    /// on hosts that support ranges use more than one, and only while that makes the download
    /// faster. With 1, the archive is downloaded with one request.
    #[must_use]
    pub fn connections(mut self, most: NonZeroUsize) -> Self {
        self.connections = most;
        self
    }

    /// Sets the size above which archives are fetched in ranges, on several connections; by default
    /// 32 MiB.
    #[must_use]
    pub fn split_above(mut self, bytes: u64) -> Self {
        self.split_above = bytes;
        self
    }

    /// Sets the read-ahead budget that all downloads of the client share, for blocks that arrive
    /// out of order; by default 16 MiB, in units of 1 MiB. Each download may hold another 2 MiB,
    /// with a larger budget up to 9 MiB. With less than 2 MiB, each download has one connection.
    #[must_use]
    pub fn read_ahead(mut self, bytes: u64) -> Self {
        self.read_ahead = bytes;
        self
    }

    /// Fails a download if a connection delivers less than `bytes_per_second` over `window`; 1 KiB
    /// per second over 5 minutes by default. `None`, a rate of 0 and a window of 0 disable the
    /// check. Time in which the reader takes nothing does not count.
    #[must_use]
    pub fn minimum_rate(mut self, bytes_per_second: Option<u64>, window: Duration) -> Self {
        self.minimum_rate = bytes_per_second.map(|rate| MinimumRate::new(rate, window));
        self
    }

    /// Sets the first product in the user agent, for example `acme-lake/2.1`.
    #[must_use]
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }

    /// Builds the client, with one connection pool for the API and another for assets, which never
    /// sees the credentials.
    ///
    /// # Errors
    /// [`BuildError`] if the CA file, TLS or a proxy variable cannot be used, if the
    /// [product](ClientBuilder::product) has characters that a header cannot have, or if the
    /// credentials would be sent in clear.
    pub fn build(self) -> Result<Client, BuildError> {
        let settings = self.settings;
        let user_agent = match &self.product {
            Some(product) => format!("{product} {OWN_NAME}"),
            None => OWN_NAME.to_owned(),
        };
        let ca_file = settings.ca_file.as_deref();
        let http = HttpOptions::new(ca_file, &user_agent, self.connect_timeout)?;
        // A proxy cannot reach this machine's loopback, where an emulator runs.
        let proxies = match settings.instance.is_loopback() {
            true => Proxies::default(),
            false => Proxies::from_env()?,
        };
        let instance = &settings.instance;
        if !(instance.is_https() || instance.is_loopback() || self.allow_insecure_http) {
            return Err(BuildError::InsecureHttp {
                url: instance.to_string(),
            });
        }
        let home = settings.instance.endpoint(None, []);
        let proxy = proxies.shown(&home);
        let gates = Arc::new(RateLimitGates::default());
        let fetcher = HttpFetcher::new(
            &http,
            proxies.clone(),
            AddressPolicy::new(home, self.allowed_networks),
            settings.instance.is_https() && !self.allow_http_assets,
            self.read_timeout,
            gates.clone(),
        )?;
        let downloads = DownloadOptions {
            fetcher: Arc::new(fetcher),
            gates,
            retry: self.retry.clone(),
            splitting: Arc::new(Splitting {
                connections: self.connections.get(),
                above: self.split_above,
                budget: ReadAheadBudget::new(self.read_ahead),
            }),
            minimum_rate: self.minimum_rate,
            deadline: None,
        };
        let mut network_options = NetworkOptions::default();
        network_options.ca_file = settings.ca_file;
        network_options.user_agent = Some(user_agent);
        network_options.connect_timeout = self.connect_timeout;
        network_options.read_timeout = self.read_timeout;
        let api = ApiOptions {
            instance: settings.instance,
            credentials: settings.credentials,
            workspace: settings.workspace,
            retry: self.retry,
            call_timeout: self.call_timeout,
            read_timeout: self.read_timeout,
        };
        let api = Api::new(api, &http, &proxies)?;
        Ok(Client::new(api, downloads, network_options, proxy))
    }
}
