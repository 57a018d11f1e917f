//! The client: the API and the downloads of one instance, joined.

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
/// GETs are repeated as the [`RetryPolicy`](crate::RetryPolicy) says; the POST that starts an
/// archive only when it cannot have reached the server, or on 429. A 429 or 503 of the API holds
/// back every call of all clones until it is over, one of an asset's host every download from that
/// host. No more than 32 calls of all clones are under way at once; others wait. The API's
/// redirects are never followed, and the credentials go to the instance's own origin alone.
///
/// # Cancellation
/// Every future here can be dropped at any time. Dropping [`Client::start_archive`] leaves open
/// whether the archive was started.
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

    /// The same client whose calls end by `deadline`: an attempt is cut off there, and there is no
    /// retry that would wait beyond it.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Self {
            api: self.api.with_deadline(deadline),
            deadline,
            ..self.clone()
        }
    }

    /// The instance that this client talks to.
    #[must_use]
    pub fn instance(&self) -> &InstanceUrl {
        self.api.instance()
    }

    /// The workspace of an account token.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.api.workspace()
    }

    /// How this client reaches the network, for sinks that should do it in the same way.
    #[must_use]
    pub fn network_options(&self) -> &NetworkOptions {
        &self.network_options
    }

    /// The proxy that calls of the API go through, by the variables of the environment. An instance
    /// on this machine is asked directly.
    #[must_use]
    pub fn proxy(&self) -> Option<&EnvProxy> {
        self.proxy.as_ref()
    }

    /// Sends one `GET /machines` without retries, to diagnose the connection. Needs
    /// `machines:read`.
    pub async fn probe(&self) -> ApiProbe {
        self.api.probe().await
    }

    /// `GET /machines/archive/csv/{jobID}`: how far an archive job is. Needs `machines:read`.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::NotFound`] for a job that Tulip does not know.
    pub async fn archive_status(&self, job: &JobId) -> Result<ArchiveJob, Error> {
        self.api.archive_status(job).await
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
        StartAttempts::new(self.api.clone(), machine)
    }

    /// `GET /machines`: the machine types with their machines. Needs `machines:read`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn machines(&self) -> Result<Vec<MachineType>, Error> {
        self.api.machines().await
    }

    /// Opens the download of the finished archive of `job`, without credentials. Where the URL is
    /// refused, the job is asked for a fresh one.
    ///
    /// # Errors
    /// [`Error`]; [`ErrorKind::InsecureAsset`] for `http` where the API is on `https`,
    /// [`ErrorKind::AddressRefused`] for an address that is not public nor of the API's own kind,
    /// [`ErrorKind::AssetRefused`] when fresh URLs are refused as well,
    /// [`ErrorKind::NotAnArchive`] when what comes cannot be a CSV.
    pub async fn download(&self, job: &JobId, resource: ResourceUrl) -> Result<Download, Error> {
        self.open(job, resource, None).await
    }

    /// The same for an archive of which another download has got the first bytes already. Where it
    /// cannot be resumed there, the first piece is [`Piece::Restarted`](crate::Piece::Restarted).
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
