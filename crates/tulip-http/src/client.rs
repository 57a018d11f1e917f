//! The API client.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{IF_MATCH, RANGE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::debug;
use tulip_core::sink::ConnectOptions;
use tulip_core::{
    ArchiveJob, Credentials, InstanceUrl, JobId, MachineId, MachineType, ResourceUrl, WorkspaceId,
};

use crate::address::Guard;
use crate::asset::{Answer, Position, Wanted};
use crate::builder::{BuildError, ClientBuilder};
use crate::download::{Download, Splitting};
use crate::error::{Error, ErrorKind};
use crate::hold::Hold;
use crate::retry::{RetryPolicy, Tries};
use crate::start::StartAttempts;
use crate::{Endpoint, Settings, SettingsError, asset, failure, redirect, reply};

/// A client of one Tulip instance. Cloning is cheap; clones share their connections.
///
/// GETs are repeated as the [`RetryPolicy`] says; the POST that starts an archive only when it
/// cannot have reached the server, or on 429. A 429 or 503 of the API holds back every call of all
/// clones until it is over, one of an asset's host every download. No more than 32 calls of all
/// clones are under way at once; others wait. The API's redirects are never followed, and the
/// credentials go to the instance's own origin alone.
///
/// # Cancellation
/// Every future here can be dropped at any time. Dropping [`Client::start_archive`] leaves open
/// whether the archive was started.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Option<Instant>,
}

pub(crate) struct Shared {
    pub(crate) api: reqwest::Client,
    /// For starts, which get a new connection each.
    pub(crate) starts: reqwest::Client,
    pub(crate) assets: reqwest::Client,
    pub(crate) instance: InstanceUrl,
    pub(crate) connect_options: ConnectOptions,
    pub(crate) credentials: Credentials,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) api_hold: Arc<Hold>,
    /// The calls to the API that may be under way.
    pub(crate) calls: Arc<Semaphore>,
    pub(crate) assets_hold: Arc<Hold>,
    pub(crate) allow_http_assets: bool,
    pub(crate) guard: Arc<Guard>,
    pub(crate) splitting: Splitting,
}

impl Client {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            deadline: None,
        }
    }

    /// Begins a client for `settings`.
    #[must_use]
    pub fn builder(settings: Settings) -> ClientBuilder {
        ClientBuilder::new(settings)
    }

    /// A client with the defaults, from the environment: see [`Settings::from_env`].
    ///
    /// # Errors
    /// [`FromEnvError`] when the settings are missing or unusable, or no client can be made of
    /// them.
    pub fn from_env() -> Result<Self, FromEnvError> {
        Ok(Self::builder(Settings::from_env()?).build()?)
    }

    /// The same client whose calls end by `deadline`: an attempt is cut off there, and no retry
    /// is begun that would wait beyond it.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Self {
            shared: self.shared.clone(),
            deadline,
        }
    }

    /// The instance that this client talks to.
    #[must_use]
    pub fn instance(&self) -> &InstanceUrl {
        &self.shared.instance
    }

    /// The workspace of an account token.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.shared.workspace.as_ref()
    }

    /// How this client reaches the network, for sinks that should do it in the same way.
    #[must_use]
    pub fn connect_options(&self) -> &ConnectOptions {
        &self.shared.connect_options
    }

    /// `GET /machines/archive/csv/{jobID}`: how far an archive job is. Needs `machines:read`.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::NotFound`] for a job that Tulip does not know.
    pub async fn archive_status(&self, job: &JobId) -> Result<ArchiveJob, Error> {
        self.call(Endpoint::ArchiveStatus(job.clone())).await
    }

    /// `POST /machines/archive/{machineID}`: starts an archive of everything the machine has.
    /// Needs `machines:write`. Tulip asks to do this sparingly.
    ///
    /// # Errors
    /// [`Error`]; where [`Error::is_outcome_unknown`], the archive may have been started.
    ///
    /// # Cancellation
    /// Dropping the future leaves open whether the archive was started. With
    /// [`Client::start_attempts`] a caller knows whether anything was sent.
    pub async fn start_archive(&self, machine: &MachineId) -> Result<ArchiveJob, Error> {
        let mut attempts = self.start_attempts(machine);
        loop {
            attempts.ready().await?;
            if let Some(job) = attempts.send().await? {
                return Ok(job);
            }
        }
    }

    /// The same, one attempt at a time.
    #[must_use]
    pub fn start_attempts(&self, machine: &MachineId) -> StartAttempts {
        StartAttempts::new(self.clone(), machine)
    }

    /// `GET /machines`: the machine types with their machines. Needs `machines:read`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn machines(&self) -> Result<Vec<MachineType>, Error> {
        self.call(Endpoint::Machines).await
    }

    /// Opens the download of the finished archive of `job`, without credentials. Where the URL is
    /// refused, the job is asked for a fresh one.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::InsecureAsset`] for `http` where the API is on `https`,
    /// [`ErrorKind::AddressRefused`] for an address that is not public nor of the API's own kind,
    /// [`ErrorKind::AssetRefused`] when fresh URLs are refused as well.
    pub async fn download(&self, job: &JobId, resource: ResourceUrl) -> Result<Download, Error> {
        Download::open(self.clone(), job.clone(), resource, None).await
    }

    /// The same for an archive of which another download has got the first bytes already. Where it
    /// cannot go on there, the first piece is [`Piece::StartedOver`](crate::Piece::StartedOver).
    ///
    /// # Errors
    /// As [`Client::download`].
    pub async fn resume_download(
        &self,
        job: &JobId,
        resource: ResourceUrl,
        position: Position,
    ) -> Result<Download, Error> {
        Download::open(self.clone(), job.clone(), resource, Some(position)).await
    }

    /// When and how downloads are split.
    pub(crate) fn splitting(&self) -> &Splitting {
        &self.shared.splitting
    }

    /// The attempts of one download.
    pub(crate) fn asset_tries(&self) -> Tries {
        self.tries(&self.shared.assets_hold)
    }

    /// Asks an asset's host once, following its redirects.
    pub(crate) async fn ask_asset(
        &self,
        resource: &ResourceUrl,
        wanted: &Wanted,
    ) -> Result<Answer, Error> {
        self.shared.assets_hold.pass().await;
        let limit = self.shared.connect_options.stall_timeout;
        let mut hop = resource.clone();
        for _ in 0..=redirect::MAX_REDIRECTS {
            let endpoint = Endpoint::asset(&hop);
            let response = asset::within(limit, &endpoint, self.get_asset(&hop, wanted)).await?;
            match redirect::target(&hop, &response)? {
                Some(next) => hop = next,
                None => {
                    let answer = asset::answer(response, &endpoint, limit, wanted);
                    return asset::within(limit, &endpoint, answer).await;
                }
            }
        }
        let found = format!("there are more than {}", redirect::MAX_REDIRECTS);
        Err(Error::new(ErrorKind::Redirect, Endpoint::asset(&hop)).with_found(found))
    }

    async fn get_asset(
        &self,
        hop: &ResourceUrl,
        wanted: &Wanted,
    ) -> Result<reqwest::Response, Error> {
        let endpoint = Endpoint::asset(hop);
        let http_is_fine = !self.shared.instance.is_https() || self.shared.allow_http_assets;
        if !hop.is_https() && !http_is_fine {
            return Err(Error::new(ErrorKind::InsecureAsset, endpoint));
        }
        let checked = self.shared.guard.check(hop).await;
        checked.map_err(|refused| failure::refused_address(&refused, endpoint.clone()))?;
        let mut request = self.shared.assets.get(hop.expose().clone());
        if let Some(range) = wanted.range() {
            request = request.header(RANGE, range);
        }
        if let Some(etag) = &wanted.etag {
            request = request.header(IF_MATCH, etag);
        }
        self.send(request, &endpoint).await
    }

    async fn call<T: serde::de::DeserializeOwned>(&self, endpoint: Endpoint) -> Result<T, Error> {
        let mut tries = self.api_tries();
        loop {
            // Thousands wait between two calls, and few are at one: it takes no room meanwhile.
            let attempt = async {
                let _call = self.call_slot(&endpoint).await?;
                self.call_once(&endpoint).await
            };
            match Box::pin(attempt).await {
                Ok(reply) => {
                    debug!(%endpoint, "answered");
                    return Ok(reply);
                }
                Err(error) => tries.failed(error).await?,
            }
        }
    }

    /// Sends a call once. The caller holds a [slot](Self::call_slot).
    pub(crate) async fn call_once<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
    ) -> Result<T, Error> {
        let shared = &*self.shared;
        let url = shared
            .instance
            .endpoint(shared.workspace.as_ref(), endpoint.segments());
        let request = match endpoint.is_idempotent() {
            true => shared.api.request(Method::GET, url),
            false => shared.starts.request(Method::POST, url),
        };
        let response = self.send(request, endpoint).await?;
        let scrub = |text: &str| self.scrub(text);
        if !response.status().is_success() {
            return Err(reply::refusal(response, endpoint, &scrub, self.deadline).await);
        }
        self.until_deadline(reply::json(response, endpoint, &scrub), endpoint)
            .await
    }

    /// The attempts of one call to the API.
    pub(crate) fn api_tries(&self) -> Tries {
        self.tries(&self.shared.api_hold)
    }

    fn tries(&self, hold: &Arc<Hold>) -> Tries {
        Tries {
            policy: self.shared.retry.clone(),
            hold: hold.clone(),
            deadline: self.deadline,
            began: Instant::now(),
            attempts: 0,
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        endpoint: &Endpoint,
    ) -> Result<reqwest::Response, Error> {
        let sent = async {
            let mapped = |error| failure::from_transport(error, endpoint.clone());
            request.send().await.map_err(mapped)
        };
        self.until_deadline(sent, endpoint).await
    }

    /// Waits while the API wants to be left alone, and until few enough calls are under way. What has
    /// not been sent by the deadline never is.
    pub(crate) async fn call_slot(
        &self,
        endpoint: &Endpoint,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let pass = async {
            let call = self.shared.calls.clone().acquire_owned().await;
            self.shared.api_hold.pass().await;
            call
        };
        let passed = match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, pass).await.ok(),
            None => Some(pass.await),
        };
        // Nobody closes the semaphore.
        passed.and_then(Result::ok).ok_or_else(|| {
            let found = "this call was not sent: its turn did not come before the deadline, because \
                earlier ones were told to wait or are still under way";
            Error::new(ErrorKind::RateLimited, endpoint.clone()).with_found(found)
        })
    }

    async fn until_deadline<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        endpoint: &Endpoint,
    ) -> Result<T, Error> {
        let Some(deadline) = self.deadline else {
            return work.await;
        };
        tokio::time::timeout_at(deadline, work)
            .await
            .unwrap_or_else(|_| {
                let error = Error::new(ErrorKind::Timeout, endpoint.clone());
                Err(error.with_found("the deadline passed before it answered"))
            })
    }

    /// A server that echoes the request must not make us show the secret.
    fn scrub(&self, text: &str) -> String {
        let credentials = &self.shared.credentials;
        let header = credentials.basic_header();
        let token = header.strip_prefix("Basic ").unwrap_or(&header);
        text.replace(credentials.expose_secret(), "[redacted]")
            .replace(token, "[redacted]")
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("instance", &self.shared.instance)
            .field("workspace", &self.shared.workspace)
            .field("credentials", &self.shared.credentials)
            .field("retry", &self.shared.retry)
            .finish_non_exhaustive()
    }
}

/// Why [`Client::from_env`] made no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromEnvError {
    /// The settings are missing or unusable.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The client cannot be made of them.
    #[error(transparent)]
    Build(#[from] BuildError),
}
