//! A running emulator.

use std::fmt;

use tokio::time::Instant;
use tulip_core::{Credentials, InstanceUrl, JobId, MachineId, MachineType, Scope, WorkspaceId};

use crate::builder::EmulatorBuilder;
use crate::content::Content;
use crate::csv::CsvArchive;
use crate::error::EmulatorError;
use crate::fault::{Endpoint, Fault};
use crate::instance::Instance;
use crate::jobs::JobInfo;
use crate::log::Requests;
use crate::script::{AssetScript, JobScript};
use crate::server::Server;
use crate::tokens::TokenKind;

/// A Tulip instance in this process. It stops when dropped: the runtime then closes open
/// connections and frees the ports in the background; [`Emulator::stop`] waits for that.
///
/// `Debug` shows where it listens, and no credentials.
pub struct Emulator {
    pub(crate) instance: std::sync::Arc<Instance>,
    pub(crate) api: Server,
    pub(crate) assets: Server,
    pub(crate) base_url: InstanceUrl,
    pub(crate) asset_origin: InstanceUrl,
    pub(crate) credentials: Credentials,
    pub(crate) account_credentials: Credentials,
}

/// Starting, stopping and addresses.
impl Emulator {
    /// Returns the default settings, to be changed and started.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    /// Starts an emulator with the default settings.
    ///
    /// # Errors
    /// Same as [`EmulatorBuilder::start`].
    pub async fn start() -> Result<Self, EmulatorError> {
        Self::builder().start().await
    }

    /// The base URL of the API.
    #[must_use]
    pub fn base_url(&self) -> InstanceUrl {
        self.base_url.clone()
    }

    /// The origin that archives are downloaded from; its port differs from the API's.
    #[must_use]
    pub fn asset_origin(&self) -> InstanceUrl {
        self.asset_origin.clone()
    }

    /// Closes all connections and both ports.
    ///
    /// # Cancellation
    /// Dropping the future still stops the emulator, without waiting for it.
    pub async fn stop(self) {
        self.api.stop().await;
        self.assets.stop().await;
    }
}

/// Tokens.
impl Emulator {
    /// A workspace token with both scopes.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// An account token with both scopes, for [`Emulator::workspace`].
    #[must_use]
    pub fn account_credentials(&self) -> Credentials {
        self.account_credentials.clone()
    }

    /// Issues a token of this kind with these scopes.
    ///
    /// # Errors
    /// [`EmulatorError::Token`] if the generated token is not valid; no seed is known to cause
    /// that.
    pub fn issue_token(
        &self,
        kind: TokenKind,
        scopes: &[Scope],
    ) -> Result<Credentials, EmulatorError> {
        let (seed, index) = (self.instance.seed, self.instance.next_number());
        let mut tokens = self.instance.tokens();
        Ok(tokens.issue(seed, index, kind, scopes, Instant::now())?)
    }

    /// The workspace of the machines and of all tokens.
    #[must_use]
    pub fn workspace(&self) -> &WorkspaceId {
        &self.instance.workspace
    }
}

/// Machines and their archives.
impl Emulator {
    /// The machines as `GET /machines` lists them.
    #[must_use]
    pub fn machines(&self) -> Vec<MachineType> {
        self.instance.machines.types().to_vec()
    }

    /// The ids of all machines, in the order of their types.
    #[must_use]
    pub fn machine_ids(&self) -> Vec<MachineId> {
        let types = self.instance.machines.types().iter();
        types
            .flat_map(|kind| kind.machines.iter().map(|machine| machine.id.clone()))
            .collect()
    }

    /// The content of an archive of `machine`, unless a script changes it.
    ///
    /// # Errors
    /// [`EmulatorError::UnknownMachine`] if there is no such machine.
    pub fn archive(&self, machine: &MachineId) -> Result<CsvArchive, EmulatorError> {
        self.instance.archive(machine, self.instance.rows)
    }

    /// The content that the asset host serves for `job`; `None` if there is no such job.
    #[must_use]
    pub fn content(&self, job: &JobId) -> Option<Content> {
        let (machine, script) = self.asset_of(job)?;
        self.instance.content(&machine, &script)
    }

    /// Like [`Self::content`], but for requests with [`Fault::Replaced`].
    #[must_use]
    pub fn replaced_content(&self, job: &JobId) -> Option<Content> {
        let (machine, script) = self.asset_of(job)?;
        self.instance.replaced(&machine, &script)
    }

    fn asset_of(&self, job: &JobId) -> Option<(MachineId, AssetScript)> {
        let jobs = self.instance.jobs();
        let job = jobs.get(job)?;
        Some((job.info.machine.clone(), job.script.asset.clone()))
    }
}

/// Jobs.
impl Emulator {
    /// Adds a job without an API call.
    ///
    /// # Errors
    /// [`EmulatorError::UnknownMachine`] if the script names a machine that does not exist,
    /// [`EmulatorError::NoMachine`] if it names none and there is none.
    pub fn add_job(&self, script: JobScript) -> Result<JobId, EmulatorError> {
        self.insert_job(None, script)
    }

    /// Adds a job with the given id, replacing one that has the same.
    ///
    /// # Errors
    /// Same as [`Emulator::add_job`].
    pub fn add_job_as(&self, id: JobId, script: JobScript) -> Result<JobId, EmulatorError> {
        self.insert_job(Some(id), script)
    }

    fn insert_job(&self, id: Option<JobId>, script: JobScript) -> Result<JobId, EmulatorError> {
        let machines = &self.instance.machines;
        let machine = script.machine.as_ref().or_else(|| machines.first());
        let machine = machine.cloned().ok_or(EmulatorError::NoMachine)?;
        if machines.kind(&machine).is_none() {
            return Err(EmulatorError::UnknownMachine(machine));
        }
        Ok(self.instance.add_job(id, machine, script))
    }

    /// Queues a script for the next job that a call starts. Each script is for one job.
    pub fn script_next(&self, script: JobScript) {
        self.instance.scripts().next.push_back(script);
    }

    /// Queues a script for the next job that a call starts for `machine`. These scripts take
    /// precedence over those of [`Emulator::script_next`].
    pub fn script_next_of(&self, machine: &MachineId, script: JobScript) {
        let mut scripts = self.instance.scripts();
        let queue = scripts.next_of.entry(machine.clone()).or_default();
        queue.push_back(script);
    }

    /// Sets the script of future jobs for which no other one is queued.
    pub fn set_default_script(&self, script: JobScript) {
        self.instance.scripts().default = script;
    }

    /// Ends the wait of `job`, of whatever kind. No effect if there is no such job.
    pub fn release(&self, job: &JobId) {
        if let Some(job) = self.instance.jobs().get_mut(job) {
            job.release();
        }
    }

    /// Expires all URLs signed for `job` so far; the next status call signs a new one. Replies in
    /// progress continue.
    pub fn expire_urls(&self, job: &JobId) {
        if let Some(job) = self.instance.jobs().get_mut(job) {
            job.expire_urls();
        }
    }

    /// All jobs, in the order of their creation.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobInfo> {
        self.instance.jobs().infos()
    }
}

/// Faults and requests.
impl Emulator {
    /// Queues this fault for the next `times` requests to `endpoint`. Every request to the path,
    /// from any client, takes one, unless its job has its own fault for it; see
    /// [`JobScript::asset_faults`].
    pub fn fail_next(&self, endpoint: Endpoint, times: usize, fault: impl Into<Fault>) {
        self.instance.faults().push(endpoint, times, fault.into());
    }

    /// Removes all faults of [`Emulator::fail_next`] that are still queued.
    pub fn clear_faults(&self) {
        self.instance.faults().clear();
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.instance.requests()
    }

    /// Waits until `endpoint` has received `count` requests since the start.
    ///
    /// # Cancellation
    /// Safe to drop.
    pub async fn wait_for_requests(&self, endpoint: Endpoint, count: usize) {
        self.instance.wait_for_requests(endpoint, count).await;
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("base_url", &self.base_url)
            .field("asset_origin", &self.asset_origin)
            .field("workspace", &self.instance.workspace)
            .finish_non_exhaustive()
    }
}
