//! The source of a download's bytes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::debug;
use tulip_core::{JobId, ResourceUrl};

use super::minimum_rate::MinimumRate;
use super::read_ahead::Splitting;
use super::request::RangeRequest;
use super::response::RangeResponse;
use crate::Endpoint;
use crate::deadline;
use crate::error::{Error, ErrorKind};
use crate::retry::{RetryLoop, RetryPolicy};
use crate::transport::{RateLimitGate, RateLimitGates};

/// Sends requests to the host of an asset.
#[async_trait]
pub(crate) trait RangeFetcher: Send + Sync {
    /// Requests a range of what is at `url`, or the whole of it, once.
    async fn fetch(
        &self,
        url: &ResourceUrl,
        request: &RangeRequest,
    ) -> Result<RangeResponse, Error>;
}

/// Gets another URL of the same asset.
#[async_trait]
pub(crate) trait UrlRenewer: Send + Sync {
    /// Asks for a fresh URL.
    async fn renew(&self) -> Result<Renewal, Error>;
}

/// The answer to a request for a fresh URL.
#[derive(Debug)]
pub(crate) enum Renewal {
    Url(ResourceUrl),
    /// The job offers none in its present status.
    None {
        status: String,
    },
}

/// How downloads are made. Clones share the read-ahead budget and the gates.
#[derive(Clone)]
pub(crate) struct DownloadOptions {
    pub(crate) fetcher: Arc<dyn RangeFetcher>,
    pub(crate) gates: Arc<RateLimitGates>,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) splitting: Arc<Splitting>,
    pub(crate) minimum_rate: Option<MinimumRate>,
    /// By when each request must be answered.
    pub(crate) deadline: Option<Instant>,
}

impl DownloadOptions {
    pub(crate) fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }
}

/// The archive of a job behind a signed URL, shared by all connections of a download.
pub(super) struct AssetSource {
    options: DownloadOptions,
    renewer: Box<dyn UrlRenewer>,
    pub(super) job: JobId,
    current: Mutex<SignedUrl>,
    renewing: tokio::sync::Mutex<()>,
    failures: AtomicU32,
}

/// A signed URL, numbered among the job's others.
#[derive(Debug, Clone)]
pub(super) struct SignedUrl {
    number: u32,
    pub(super) url: ResourceUrl,
}

impl AssetSource {
    pub(super) fn new(
        options: DownloadOptions,
        job: JobId,
        url: ResourceUrl,
        renewer: Box<dyn UrlRenewer>,
    ) -> Self {
        Self {
            options,
            renewer,
            job,
            current: Mutex::new(SignedUrl { number: 0, url }),
            renewing: tokio::sync::Mutex::default(),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn splitting(&self) -> &Splitting {
        &self.options.splitting
    }

    pub(super) fn minimum_rate(&self) -> Option<MinimumRate> {
        self.options.minimum_rate
    }

    /// Returns a retry loop for one connection.
    pub(super) fn retry_loop(&self) -> RetryLoop {
        RetryLoop::new(self.options.retry.clone(), self.options.deadline)
    }

    /// Returns the gate of the host that failed.
    pub(super) fn gate_of(&self, error: &Error) -> Arc<RateLimitGate> {
        match error.endpoint() {
            Endpoint::Asset { host } => self.options.gates.of(host),
            _ => self.options.gates.of(""),
        }
    }

    /// Returns the URL to use now.
    pub(super) fn signed_url(&self) -> SignedUrl {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends one request. If it yields the first bytes of the archive, they have been inspected.
    pub(super) async fn fetch(
        &self,
        signed: &SignedUrl,
        request: &RangeRequest,
    ) -> Result<RangeResponse, Error> {
        let fetched = async {
            let mut response = self.options.fetcher.fetch(&signed.url, request).await?;
            if let RangeResponse::Whole(body) | RangeResponse::Part(body) = &mut response {
                body.inspect().await?;
            }
            Ok(response)
        };
        let endpoint = || Endpoint::asset(&signed.url);
        deadline::until(self.options.deadline, endpoint, fetched).await
    }

    /// Creates an error of the asset's host.
    pub(super) fn error(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, Endpoint::asset(&self.signed_url().url)).with_cause(why)
    }

    pub(super) fn ended_early(&self) -> Error {
        self.error(ErrorKind::ConnectionLost, "the reply ended early")
    }

    /// Creates the error for a host that sends next to nothing.
    pub(super) fn too_slow(&self, found: String) -> Error {
        Error::new(ErrorKind::Timeout, Endpoint::asset(&self.signed_url().url)).with_found(found)
    }

    /// Counts a request that has to be repeated.
    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many requests had to be repeated.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Replaces the URL `refused`; only once, however many requests were refused with it.
    pub(super) async fn renew(
        &self,
        refused: &SignedUrl,
        status: Option<u16>,
    ) -> Result<(), Error> {
        let _alone = self.renewing.lock().await;
        if self.signed_url().number != refused.number {
            return Ok(());
        }
        debug!(job = %self.job, "the signed URL was refused; asking for a fresh one");
        let url = match self.renewer.renew().await? {
            Renewal::Url(url) => url,
            Renewal::None { status: now } => {
                let mut error = Error::new(ErrorKind::AssetRefused, Endpoint::asset(&refused.url));
                error.inner_mut().status = status;
                let found = format!("the job is now {now}, and has no other");
                return Err(error.with_found(found));
            }
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = SignedUrl {
            number: refused.number.wrapping_add(1),
            url,
        };
        Ok(())
    }
}
