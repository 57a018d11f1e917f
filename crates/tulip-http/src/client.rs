//! The client, which joins the API and the downloads of one instance.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tulip_core::NetworkOptions;
use tulip_core::{
    ArchiveJob, InstanceUrl, JobId, MachineId, MachineType, ResourceUrl, ResourceUrlError,
    WorkspaceId,
};

use crate::Endpoint;
use crate::api::{Api, ApiProbe, Settings, SettingsError, StartAttempts};
use crate::builder::ClientBuilder;
use crate::download::{Checkpoint, Download, DownloadOptions, Renewal, UrlRenewer};
use crate::error::{Error, ErrorKind};
use crate::transport::{BuildError, EnvProxy};

/// A client of one Tulip instance. Cloning is cheap; clones share their connections.
///
/// GETs are retried as the [`RetryPolicy`](crate::RetryPolicy) decides. The POST that starts an
/// archive is retried only on 429, or if it cannot have reached the server. A 429 or 503 from the
/// API holds back every call of all clones until the pause is over; one from an asset's host holds
/// back every download from that host. At most 32 calls of all clones run at once; others wait. The
/// API's redirects are never followed, and the credentials are sent only to the instance's own
/// origin. Calls and downloads need a tokio runtime with time and I/O enabled.
///
/// # Cancellation
/// Every future here can be dropped at any time. If [`Client::start_archive`] is dropped, the
/// archive may or may not have been started.
#[derive(Clone)]
pub struct Client {
    api: Api,
    downloads: DownloadOptions,
    network_options: Arc<NetworkOptions>,
    proxy: Option<EnvProxy>,
    deadline: Option<Instant>,
}

impl Client {
    pub(crate) fn new(
        api: Api,
        downloads: DownloadOptions,
        network_options: NetworkOptions,
        proxy: Option<EnvProxy>,
    ) -> Self {
        Self {
            api,
            downloads,
            network_options: Arc::new(network_options),
            proxy,
            deadline: None,
        }
    }

    /// Returns a builder for a client with `settings`.
    #[must_use]
    pub fn builder(settings: Settings) -> ClientBuilder {
        ClientBuilder::new(settings)
    }

    /// Creates a client with the defaults, from the environment: see [`Settings::from_env`].
    ///
    /// # Errors
    /// [`FromEnvError`] if the settings are missing or unusable, or if no client can be built from
    /// them.
    pub fn from_env() -> Result<Self, FromEnvError> {
        Ok(Self::builder(Settings::from_env()?).build()?)
    }

    /// Returns a copy of this client whose calls end by `deadline`: an attempt is cut off there,
    /// and no retry waits beyond it.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Self {
            api: self.api.with_deadline(deadline),
            deadline,
            ..self.clone()
        }
    }

    /// Returns the instance that this client talks to.
    #[must_use]
    pub fn instance(&self) -> &InstanceUrl {
        self.api.instance()
    }

    /// Returns the workspace of an account token, or `None` for a workspace token.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.api.workspace()
    }

    /// Returns how this client reaches the network, so that sinks can do the same.
    #[must_use]
    pub fn network_options(&self) -> &NetworkOptions {
        &self.network_options
    }

    /// Returns the proxy that API calls go through, from the environment's variables. `None` if
    /// there is none, or if the instance is on this machine, which is called directly.
    #[must_use]
    pub fn proxy(&self) -> Option<&EnvProxy> {
        self.proxy.as_ref()
    }

    /// Sends one `GET /machines` without retries, to diagnose the connection. Needs
    /// `machines:read`.
    pub async fn probe(&self) -> ApiProbe {
        self.api.probe().await
    }

    /// `GET /machines/archive/csv/{jobID}`: returns the state of an archive job. Needs
    /// `machines:read`.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::NotFound`] if Tulip does not know the job.
    pub async fn archive_status(&self, job: &JobId) -> Result<ArchiveJob, Error> {
        self.api.archive_status(job).await
    }

    /// `POST /machines/archive/{machineID}`: starts an archive of everything the machine has. Needs
    /// `machines:write`. Tulip asks clients to do this sparingly.
    ///
    /// # Errors
    /// [`Error`]. If [`Error::is_outcome_unknown`], the archive may have been started.
    ///
    /// # Cancellation
    /// If the future is dropped, the archive may or may not have been started. Use
    /// [`Client::start_attempts`] to know whether anything was sent.
    pub async fn start_archive(&self, machine: &MachineId) -> Result<ArchiveJob, Error> {
        let mut attempts = self.start_attempts(machine);
        loop {
            attempts.ready().await?;
            if let Some(job) = attempts.send().await? {
                return Ok(job);
            }
        }
    }

    /// Like [`Client::start_archive`], but one attempt at a time.
    #[must_use]
    pub fn start_attempts(&self, machine: &MachineId) -> StartAttempts {
        StartAttempts::new(self.api.clone(), machine)
    }

    /// `GET /machines`: returns the machine types with their machines. Needs `machines:read`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn machines(&self) -> Result<Vec<MachineType>, Error> {
        self.api.machines().await
    }

    /// Opens the download of the finished archive of `job`, without credentials. If the URL is
    /// refused, the download asks the job for a fresh one.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::InsecureAsset`] if the URL is `http` although the API is on `https`,
    /// [`ErrorKind::AddressRefused`] if the address is neither public nor of the API's own kind,
    /// [`ErrorKind::AssetRefused`] if fresh URLs are refused as well, [`ErrorKind::NotAnArchive`]
    /// if the response cannot be a CSV.
    pub async fn download(&self, job: &JobId, resource: ResourceUrl) -> Result<Download, Error> {
        self.open(job, resource, None).await
    }

    /// Like [`Client::download`], for an archive whose first bytes another download has already
    /// fetched. If it cannot be resumed there, the first piece is
    /// [`Piece::Restarted`](crate::Piece::Restarted).
    ///
    /// # Errors
    /// As [`Client::download`].
    pub async fn resume_download(
        &self,
        job: &JobId,
        resource: ResourceUrl,
        checkpoint: Checkpoint,
    ) -> Result<Download, Error> {
        self.open(job, resource, Some(checkpoint)).await
    }

    async fn open(
        &self,
        job: &JobId,
        resource: ResourceUrl,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Download, Error> {
        let renewer = JobRenewer {
            api: self.api.clone(),
            job: job.clone(),
        };
        let options = self.downloads.with_deadline(self.deadline);
        Download::open(
            options,
            job.clone(),
            resource,
            Box::new(renewer),
            checkpoint,
        )
        .await
    }
}

/// Asks a job for a fresh URL of its archive.
struct JobRenewer {
    api: Api,
    job: JobId,
}

#[async_trait]
impl UrlRenewer for JobRenewer {
    async fn renew(&self) -> Result<Renewal, Error> {
        let job = self.api.archive_status(&self.job).await?;
        let Some(resource) = job.resource.filter(|_| job.status.is_complete()) else {
            return Ok(Renewal::None {
                status: job.status.to_string(),
            });
        };
        let url = resource.parse().map_err(|error: ResourceUrlError| {
            let endpoint = Endpoint::ArchiveStatus(job.id);
            Error::new(ErrorKind::InvalidReply, endpoint).with_found(error.to_string())
        })?;
        Ok(Renewal::Url(url))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

/// Why [`Client::from_env`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromEnvError {
    /// The settings are missing or unusable.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No client can be built from the settings.
    #[error(transparent)]
    Build(#[from] BuildError),
}
