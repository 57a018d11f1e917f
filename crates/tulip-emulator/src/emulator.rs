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

/// A Tulip instance in this process. It stops when it is dropped: open connections are closed
/// and the ports become free, once the runtime has got round to it; [`Emulator::stop`] waits for
/// that.
///
/// `Debug` shows where it listens and nothing that lets anybody in.
pub struct Emulator {
    pub(crate) instance: std::sync::Arc<Instance>,
    pub(crate) api: Server,
    pub(crate) assets: Server,
    pub(crate) base_url: InstanceUrl,
    pub(crate) asset_origin: InstanceUrl,
    pub(crate) credentials: Credentials,
    pub(crate) account_credentials: Credentials,
}

/// Starting, and where it is.
impl Emulator {
    /// Settings, to be changed and then started.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    /// An emulator with the default settings.
    ///
    /// # Errors
    /// As [`EmulatorBuilder::start`].
    pub async fn start() -> Result<Self, EmulatorError> {
        Self::builder().start().await
    }

    /// The base URL of the API.
    #[must_use]
    pub fn base_url(&self) -> InstanceUrl {
        self.base_url.clone()
    }

    /// The origin that archives are downloaded from; it has another port than the API.
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

    /// A new token of this kind with these scopes.
    ///
    /// # Errors
    /// [`EmulatorError::Token`] when the token made up cannot be used; no seed is known to do
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
    /// What `GET /machines` lists.
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

    /// What an archive of `machine` holds, unless a script has it otherwise.
    ///
    /// # Errors
    /// [`EmulatorError::UnknownMachine`].
    pub fn archive(&self, machine: &MachineId) -> Result<CsvArchive, EmulatorError> {
        self.instance.archive(machine, self.instance.rows)
    }

    /// What the asset host serves for `job`; `None` when there is no such job.
    #[must_use]
    pub fn content(&self, job: &JobId) -> Option<Content> {
        let (machine, script) = self.asset_of(job)?;
        self.instance.content(&machine, &script)
    }

    /// What it serves in place of that to requests that meet [`Fault::Replaced`].
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
    /// Adds a job that no call has started.
    ///
    /// # Errors
    /// [`EmulatorError::UnknownMachine`] when the script names a machine that is not there.
    pub fn add_job(&self, script: JobScript) -> Result<JobId, EmulatorError> {
        self.insert_job(None, script)
    }

    /// Adds a job with an id of the test's choice. It replaces one that has the same.
    ///
    /// # Errors
    /// As [`Emulator::add_job`].
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

    /// The next job that a call starts does this. Scripts queue up: each is for one job.
    pub fn script_next(&self, script: JobScript) {
        self.instance.scripts().next.push_back(script);
    }

    /// The next job that a call starts for `machine` does this, whatever is started for others.
    /// These scripts queue up too, and go before those of [`Emulator::script_next`].
    pub fn script_next_of(&self, machine: &MachineId, script: JobScript) {
        let mut scripts = self.instance.scripts();
        let queue = scripts.next_of.entry(machine.clone()).or_default();
        queue.push_back(script);
    }

    /// What jobs do from now on that no script was queued for.
    pub fn set_default_script(&self, script: JobScript) {
        self.instance.scripts().default = script;
    }

    /// Ends the waiting of `job`, however it waits. Without effect when there is no such job.
    pub fn release(&self, job: &JobId) {
        if let Some(job) = self.instance.jobs().get_mut(job) {
            job.release();
        }
    }

    /// Makes every URL expire that was signed for `job` until now; the next status call signs
    /// another. Replies under way continue.
    pub fn expire_urls(&self, job: &JobId) {
        if let Some(job) = self.instance.jobs().get_mut(job) {
            job.expire_urls();
        }
    }

    /// All jobs, in the order of their start.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobInfo> {
        self.instance.jobs().infos()
    }
}

/// Faults, and what was asked.
impl Emulator {
    /// The next `times` requests to `endpoint` meet this fault; faults queue up. Every request to
    /// the path takes one, from any client, unless its job has a fault of its own, see
    /// [`JobScript::asset_faults`].
    pub fn fail_next(&self, endpoint: Endpoint, times: usize, fault: impl Into<Fault>) {
        self.instance.faults().push(endpoint, times, fault.into());
    }

    /// Forgets all faults of [`Emulator::fail_next`] that have not been met.
    pub fn clear_faults(&self) {
        self.instance.faults().clear();
    }

    /// What was asked until now.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.instance.requests()
    }

    /// Waits until `endpoint` has had `count` requests since the start.
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
