//! Requests to the host of an asset, without credentials.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_MATCH, RANGE};
use tulip_core::ResourceUrl;

use super::redirect::{self, MAX_REDIRECTS};
use super::request::RangeRequest;
use super::response::{self, RangeResponse, within};
use super::source::RangeFetcher;
use crate::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::transport::{
    AddressPolicy, BuildError, Failure, FilteringResolver, HttpOptions, Proxies, RateLimitGates,
};

/// Sends requests over HTTP, follows redirects, and uses only addresses that are allowed.
pub(crate) struct HttpFetcher {
    /// Resolves names itself, and connects only to allowed addresses.
    direct: reqwest::Client,
    /// Resolves only the names of proxies, which the user chose.
    proxied: reqwest::Client,
    proxies: Proxies,
    policy: Arc<AddressPolicy>,
    require_https: bool,
    read_timeout: Duration,
    gates: Arc<RateLimitGates>,
}

impl HttpFetcher {
    pub(crate) fn new(
        http: &HttpOptions,
        proxies: Proxies,
        policy: AddressPolicy,
        require_https: bool,
        read_timeout: Duration,
        gates: Arc<RateLimitGates>,
    ) -> Result<Self, BuildError> {
        let policy = Arc::new(policy);
        let client = |builder: reqwest::ClientBuilder| {
            // A compressed body would have other bytes, offsets and length than the archive. The
            // library's read timeout is not used: it also runs while nobody reads, and a slow sink
            // is not a silent host.
            let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            let headers = HeaderMap::from_iter([identity]);
            let client = builder.default_headers(headers).build();
            client.map_err(BuildError::http)
        };
        let resolver = FilteringResolver(policy.clone());
        Ok(Self {
            direct: client(http.builder().dns_resolver(resolver))?,
            proxied: client(proxies.apply(http.builder()))?,
            proxies,
            policy,
            require_https,
            read_timeout,
            gates,
        })
    }

    async fn send(
        &self,
        url: &ResourceUrl,
        request: &RangeRequest,
    ) -> Result<reqwest::Response, Error> {
        let endpoint = Endpoint::asset(url);
        if self.require_https && !url.is_https() {
            return Err(Error::new(ErrorKind::InsecureAsset, endpoint));
        }
        let failed = |failure| Error::from_failure(failure, endpoint.clone());
        let checked = self.policy.check(url.expose()).await;
        checked.map_err(|refused| failed(refused.into()))?;
        let client = match self.proxies.of(url.expose()) {
            Some(_) => &self.proxied,
            None => &self.direct,
        };
        let mut sent = client.get(url.expose().clone());
        if let Some(range) = request.range() {
            sent = sent.header(RANGE, range);
        }
        if let Some(etag) = &request.etag {
            sent = sent.header(IF_MATCH, etag);
        }
        let sent = sent.send().await;
        sent.map_err(|error| failed(Failure::new(error)))
    }
}

#[async_trait]
impl RangeFetcher for HttpFetcher {
    async fn fetch(
        &self,
        url: &ResourceUrl,
        request: &RangeRequest,
    ) -> Result<RangeResponse, Error> {
        let limit = self.read_timeout;
        let mut hop = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.gates.of(hop.authority()).pass().await;
            let endpoint = Endpoint::asset(&hop);
            let response = within(limit, &endpoint, self.send(&hop, request)).await?;
            match redirect::target(&hop, &response)? {
                Some(next) => hop = next,
                None => {
                    let response = response::check(response, &endpoint, limit, request);
                    return within(limit, &endpoint, response).await;
                }
            }
        }
        let found = format!("there are more than {MAX_REDIRECTS}");
        Err(Error::new(ErrorKind::Redirect, Endpoint::asset(&hop)).with_found(found))
    }
}
