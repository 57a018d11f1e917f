//! Authenticated calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::debug;
use tulip_core::{ArchiveJob, Credentials, InstanceUrl, JobId, MachineType, WorkspaceId, one_line};

use super::reply;
use crate::Endpoint;
use crate::deadline;
use crate::error::{Error, ErrorKind};
use crate::retry::{RetryLoop, RetryPolicy};
use crate::transport::{BuildError, Connections, Failure, HttpOptions, Proxies, RateLimitGate};

/// The maximum number of concurrent calls: thousands of waiting jobs are polled over a few
/// connections, not over thousands.
const CALLS: usize = 32;

/// The address and the settings of the API.
pub(crate) struct ApiOptions {
    pub(crate) instance: InstanceUrl,
    pub(crate) credentials: Credentials,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) call_timeout: Duration,
    pub(crate) read_timeout: Duration,
}

/// The API of one instance. Clones share their connections, their gate and their slots.
#[derive(Clone)]
pub(crate) struct Api {
    shared: Arc<Shared>,
    deadline: Option<Instant>,
}

struct Shared {
    options: ApiOptions,
    http: reqwest::Client,
    /// For starts, each of which gets a new connection.
    starts: reqwest::Client,
    /// Counts the connections of starts.
    connections: Connections,
    gate: RateLimitGate,
    slots: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(
        options: ApiOptions,
        http: &HttpOptions,
        proxies: &Proxies,
    ) -> Result<Self, BuildError> {
        let mut headers = HeaderMap::new();
        let basic = options.credentials.basic_header();
        let mut authorization =
            HeaderValue::from_str(&basic).map_err(|_| BuildError::Header("API key"))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let client = || {
            proxies
                .apply(http.builder())
                .default_headers(headers.clone())
                .read_timeout(options.read_timeout)
                .timeout(options.call_timeout)
        };
        let connections = Connections::default();
        let starts = client()
            .pool_max_idle_per_host(0)
            .connector_layer(connections.clone());
        Ok(Self {
            shared: Arc::new(Shared {
                http: client().build().map_err(BuildError::http)?,
                starts: starts.build().map_err(BuildError::http)?,
                connections,
                options,
                gate: RateLimitGate::default(),
                slots: Arc::new(Semaphore::new(CALLS)),
            }),
            deadline: None,
        })
    }

    /// Returns the same API, but its calls end by `deadline`.
    pub(crate) fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Self {
            shared: self.shared.clone(),
            deadline,
        }
    }

    pub(crate) fn instance(&self) -> &InstanceUrl {
        &self.shared.options.instance
    }

    pub(crate) fn workspace(&self) -> Option<&WorkspaceId> {
        self.shared.options.workspace.as_ref()
    }

    /// Returns how many connections starts have made.
    pub(super) fn start_connections(&self) -> u64 {
        self.shared.connections.made()
    }

    pub(super) fn gate(&self) -> &RateLimitGate {
        &self.shared.gate
    }

    /// Returns a retry loop for one call.
    pub(crate) fn retry_loop(&self) -> RetryLoop {
        RetryLoop::new(self.shared.options.retry.clone(), self.deadline)
    }

    pub(crate) async fn archive_status(&self, job: &JobId) -> Result<ArchiveJob, Error> {
        let endpoint = Endpoint::ArchiveStatus(job.clone());
        let answer: ArchiveJob = self.call(endpoint.clone()).await?;
        if answer.id == *job {
            return Ok(answer);
        }
        // Something between us and Tulip has mixed up two answers.
        let other = one_line(answer.id.as_str(), 100);
        let found = format!("it is for job {other}, not {job}");
        Err(Error::new(ErrorKind::InvalidReply, endpoint).with_found(found))
    }

    pub(crate) async fn machines(&self) -> Result<Vec<MachineType>, Error> {
        self.call(Endpoint::Machines).await
    }

    async fn call<T: DeserializeOwned>(&self, endpoint: Endpoint) -> Result<T, Error> {
        let mut retry = self.retry_loop();
        loop {
            let attempt = async {
                let _slot = self.slot(&endpoint).await?;
                // Boxed: few calls run while thousands wait, and those need no memory for it.
                Box::pin(self.call_once(&endpoint)).await
            };
            match attempt.await {
                Ok(reply) => {
                    debug!(%endpoint, "answered");
                    return Ok(reply);
                }
                Err(error) => {
                    let safe = error.is_retryable();
                    let delay = retry.delay_after(error, safe, self.gate())?;
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    /// Waits for a free slot, and while the API asks for a pause. A call whose turn has not come by
    /// the deadline is never sent.
    pub(super) async fn slot(&self, endpoint: &Endpoint) -> Result<OwnedSemaphorePermit, Error> {
        let pass = async {
            let slot = self.shared.slots.clone().acquire_owned().await;
            self.shared.gate.pass().await;
            slot
        };
        let passed = match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, pass).await.ok(),
            None => Some(pass.await),
        };
        // The semaphore is never closed.
        passed.and_then(Result::ok).ok_or_else(|| {
            let found = "this call was not sent: its turn did not come before the deadline, because \
                earlier ones were told to wait or are still under way";
            Error::new(ErrorKind::RateLimited, endpoint.clone()).with_found(found)
        })
    }

    /// Sends a call once. The caller holds a [slot](Self::slot).
    pub(super) async fn call_once<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
    ) -> Result<T, Error> {
        let response = self.send(endpoint).await?;
        self.read(response, endpoint).await
    }

    /// Sends a call once and returns the reply as soon as its head has arrived.
    pub(super) async fn send(&self, endpoint: &Endpoint) -> Result<Response, Error> {
        let url = self
            .instance()
            .endpoint(self.workspace(), endpoint.segments());
        let request = match endpoint.is_idempotent() {
            true => self.shared.http.request(Method::GET, url),
            false => self.shared.starts.request(Method::POST, url),
        };
        let sent = async {
            let failed = |error| Error::from_failure(Failure::new(error), endpoint.clone());
            request.send().await.map_err(failed)
        };
        deadline::until(self.deadline, || endpoint.clone(), sent).await
    }

    /// Reads a reply whose head has arrived.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        response: Response,
        endpoint: &Endpoint,
    ) -> Result<T, Error> {
        let scrub = |text: &str| self.scrub(text);
        if !response.status().is_success() {
            return Err(reply::refusal(response, endpoint, &scrub, self.deadline).await);
        }
        let json = reply::json(response, endpoint, &scrub);
        deadline::until(self.deadline, || endpoint.clone(), json).await
    }

    /// Hides the credentials in `text`: a server may echo the request.
    fn scrub(&self, text: &str) -> String {
        let credentials = &self.shared.options.credentials;
        let header = credentials.basic_header();
        let token = header.strip_prefix("Basic ").unwrap_or(&header);
        text.replace(credentials.expose_secret(), "[redacted]")
            .replace(token, "[redacted]")
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("instance", self.instance())
            .field("workspace", &self.workspace())
            .field("credentials", &self.shared.options.credentials)
            .field("retry", &self.shared.options.retry)
            .finish_non_exhaustive()
    }
}
